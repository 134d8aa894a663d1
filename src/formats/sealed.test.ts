import { expect, it } from 'vitest'
import { FileError } from '../base/errors.ts'
import { floatTensor } from '../graph/tensor.ts'
import { bytesSource, openSafetensors } from './safetensors.ts'
import { openSealed, writeSealed } from './sealed.ts'

const x = floatTensor([3], Float32Array.of(1, -2, 0.5))
const about = { text: JSON.stringify({ sha256: 'x', names: ['a "sha256":"b', 'ä'] }) }
const open = (bytes: Uint8Array) => openSealed(bytesSource('w.safetensors', bytes))

it('is an ordinary safetensors file with all that was put in', async () => {
  const bytes = await writeSealed(new Map([['x', x]]), about)
  const plain = await openSafetensors(bytesSource('w', bytes))
  for (const file of [await open(bytes), plain]) {
    expect(file.metadata.get('text')).toBe(about.text)
    expect(await file.readFloat('x')).toEqual(x)
  }
  expect(bytes).toEqual(await writeSealed(new Map([['x', x]]), about))
})

it('is refused when any single bit of it is another one', async () => {
  const bytes = await writeSealed(new Map([['x', x]]), about)
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const error = await open(flipped).catch((thrown: unknown) => thrown)
    expect(error, `bit ${bit}`).toBeInstanceOf(FileError)
  }
})
