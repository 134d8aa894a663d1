import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { sha256Sync } from './sha256.ts'

it('is the hash that Node gives, for every length around a block', () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => 7 * i + length)
    expect(sha256Sync(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'))
  }
})
