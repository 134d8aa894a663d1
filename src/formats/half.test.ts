import fc from 'fast-check'
import { expect, it } from 'vitest'
import { floatToHalf, halfToFloat } from './half.ts'

const toHalf = (value: number) => floatToHalf(Float32Array.of(value))[0]
const toFloat = (bits: number) => halfToFloat(Uint16Array.of(bits))[0]

it('reads the values of the standard', () => {
  const rows: readonly [bits: number, value: number][] = [
    [0x0000, 0],
    [0x8000, -0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x0001, 2 ** -24],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
  ]
  for (const [bits, value] of rows) {
    expect(toFloat(bits)).toBe(value)
    expect(toHalf(value)).toBe(bits)
  }
})

it('gives every pattern back', () => {
  const numbers = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits).filter((bits) => (bits & 0x7fff) <= 0x7c00)
  const back = floatToHalf(halfToFloat(numbers))
  expect(back.findIndex((bits, i) => bits !== numbers[i])).toBe(-1)
})

it('rounds halves to even', () => {
  expect(toHalf(1 + 2 ** -11)).toBe(0x3c00)
  expect(toHalf(1 + 3 * 2 ** -11)).toBe(0x3c02)
  expect(toHalf(2 ** -25)).toBe(0)
  expect(toHalf(3 * 2 ** -25)).toBe(2)
  expect(toHalf(65519.99)).toBe(0x7bff)
  expect(toHalf(65520)).toBe(0x7c00)
})

it('picks a nearest float16', () => {
  fc.assert(
    fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
      const bits = toHalf(value) ?? 0
      const error = Math.abs((toFloat(bits) ?? 0) - value)
      for (const neighbour of [bits - 1, bits + 1]) {
        const other = toFloat(neighbour & 0xffff) ?? 0
        if (Number.isFinite(other)) expect(error).toBeLessThanOrEqual(Math.abs(other - value))
      }
    }),
  )
})
