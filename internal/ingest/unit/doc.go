// Package unit reads the units laboratories write and says them in UCUM, the
// Unified Code for Units of Measure (https://ucum.org, version 2.2).
//
// People write "°C", "deg C", "W/m^2", "kWhr/m^2", "mBar", "mA.h", "S.cm-1".
// [Parse] turns such a spelling into one canonical UCUM code: factors in the
// order written, numerators joined by ".", each denominator after a "/"
// ("S/cm"), and a negative exponent only where nothing stands above the line
// ("Ohm-1"). [ReadHeader] finds the unit inside a column's header cell:
// "Temp (°C)", "wind_speed [m/s]", "Pressure_hPa", "I/mA". It would rather
// find none than a wrong one, so spellings that stand for several things are
// read by their context: "C" is degrees Celsius beside "Dry-bulb" and coulomb
// beside "dQ".
//
// [Convert] converts between two codes of the same dimension. It knows a subset
// of UCUM: the base units and mole (kept as a dimension of its own, where UCUM
// makes it a number), the metric prefixes, the derived SI units, the customary
// units laboratories use, products, quotients, powers, and the two scales with
// an offset, Cel and [degF]. Factors are those of the UCUM essence table.
package unit
