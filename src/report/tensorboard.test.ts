import { describe, expect, it } from 'vitest'
import { crc32c, eventFile } from './tensorboard.ts'

describe('an event file', () => {
  it("is byte by byte what TensorBoard's own writer makes of the same values", () => {
    const time = 1767323039.25
    const bytes = eventFile(
      [
        { tag: 'train/loss', step: 1, value: 2.5, time },
        { tag: 'train/gradient_norm', step: 1, value: 0.125, time },
        { tag: 'train/loss', step: 300, value: 0.1, time: 1767323045 },
      ],
      time,
    )
    // tensorboard 2.21: RecordWriter over Event messages of the same fields
    expect(Buffer.from(bytes).toString('base64')).toBe(
      'GAAAAAAAAACjf0siCQAA0GfNVdpBGg1icmFpbi5FdmVudDoyTcxxoiAAAAAAAAAAKe2pUAkAANBnzVXaQRABKhMKEQoKdHJhaW4vbG9zcxUAACBA' +
        'CnajFikAAAAAAAAAN/9fAAkAANBnzVXaQRABKhwKGgoTdHJhaW4vZ3JhZGllbnRfbm9ybRUAAAA+Mqke5SEAAAAAAAAAAXvs9gkAAEBpzVXaQRCs' +
        'AioTChEKCnRyYWluL2xvc3MVzczMPZU2eIw=',
    )
  })
})

// RFC 3720, B.4
it.each<[string, readonly number[], number]>([
  ['32 zeros', new Array<number>(32).fill(0), 0x8a9136aa],
  ['32 ones', new Array<number>(32).fill(0xff), 0x62a8ab43],
  ['0 to 31', Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['nothing', [], 0],
])('CRC-32C of %s', (_, bytes, expected) => {
  expect(crc32c(Uint8Array.from(bytes))).toBe(expected)
})
