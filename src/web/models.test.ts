import { afterEach, expect, it, vi } from 'vitest'
import { FileError } from '../base/errors.ts'
import { hubModel } from './models.ts'

afterEach(() => vi.unstubAllGlobals())

it.each(['<!doctype html>', '{"sha": ', '[]', '{"sha": 1, "siblings": []}', ''])(
  'a hub that answers %j is refused in words',
  async (body) => {
    vi.stubGlobal('fetch', async () => new Response(body))
    const asked = hubModel('owner/tiny', { keep: false })
    await expect(asked).rejects.toThrow(FileError)
    await expect(asked).rejects.toThrow(/the answer of the hub about owner\/tiny/)
  },
)
