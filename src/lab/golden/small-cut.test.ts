import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { nodeRuntime } from '../../node/runtime.ts'
import { anyGpu, NO_GPU } from '../../testing/gpu.ts'
import { checkGolden } from './check.ts'

/**
 * RN50, RN101, ViT-B/32, ViT-B/16, ViT-L/14 and ViT-H/14 with fewer layers and channels and random weights, saved by
 * open_clip 3.3 and transformers 5.18, and what PyTorch 2.13 computes with them.
 */
const FOLDER = fileURLToPath(new URL('fixtures/small-cut', import.meta.url))

it('features, text features and gradients of every encoder, cut small, are those of PyTorch', async () => {
  const runtime = await nodeRuntime({ threads: 1 })
  const lines: string[] = []
  const { passed, failed } = await checkGolden(FOLDER, runtime, (line) => lines.push(line))
  await runtime.close()
  expect(lines.filter((line) => !line.endsWith('ok'))).toEqual([])
  expect({ passed, failed }).toEqual({ passed: 48, failed: 0 })
  for (const model of ['rn50', 'rn101', 'vit-b-32', 'vit-b-16', 'vit-l-14', 'vit-h-14']) {
    expect(lines).toContainEqual(expect.stringMatching(`^image features ${model}: .* ok$`))
    expect(lines).toContainEqual(expect.stringMatching(`^text features ${model}: .* ok$`))
  }
})

it('they are those of PyTorch through WebGPU, too', async ({ skip }) => {
  const gpu = await anyGpu()
  if (gpu === undefined) return skip(NO_GPU)
  const folder = await mkdtemp(join(tmpdir(), 'coop-golden-'))
  const parts = ['vit-b-32', 'coop.json', 'coop.safetensors']
  await Promise.all(parts.map((part) => cp(join(FOLDER, part), join(folder, part), { recursive: true })))
  const lines: string[] = []
  try {
    const { passed, failed } = await checkGolden(folder, gpu, (line) => lines.push(line))
    expect({ passed, failed }, lines.join('\n')).toEqual({ passed: 6, failed: 0 })
  } finally {
    await gpu.close()
    await rm(folder, { recursive: true, force: true })
  }
})
