// Package find is the search index over listings.
package find
