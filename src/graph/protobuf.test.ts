import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Message } from './protobuf.ts'

/** Varints as the protobuf documentation defines them, by whole numbers of any size. */
function varint(value: bigint): number[] {
  const rest = value >> 7n
  const low = Number(value & 0x7fn)
  return rest === 0n ? [low] : [low | 0x80, ...varint(rest)]
}

describe('a message', () => {
  it('writes whole numbers of any sign as 64-bit varints', () => {
    const numbers = fc.oneof(
      fc.maxSafeInteger(),
      fc.integer(),
      fc.constantFrom(0, 127, 128, -1, -128, -129, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1)),
    )
    fc.assert(
      fc.property(numbers, (n) => {
        const expected = [8, ...varint(BigInt.asUintN(64, BigInt(n)))]
        expect([...new Message().int(1, n).bytes()]).toEqual(expected)
      }),
    )
  })

  // The examples of https://protobuf.dev/programming-guides/encoding
  it.each<[Message, number[]]>([
    [new Message().int(1, 150), [0x08, 0x96, 0x01]],
    [new Message().text(2, 'testing'), [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]],
    [new Message().message(3, new Message().int(1, 150)), [0x1a, 0x03, 0x08, 0x96, 0x01]],
    [new Message().int(20, 1), [0xa0, 0x01, 0x01]],
    [new Message().float(2, 1), [0x15, 0, 0, 0x80, 0x3f]],
    [new Message().raw(1, Uint8Array.of()).text(2, 'é'), [0x0a, 0, 0x12, 2, 0xc3, 0xa9]],
    [new Message(), []],
  ])('%#', (message, bytes) => {
    expect([...message.bytes()]).toEqual(bytes)
  })
})
