import { expect, it } from 'vitest'
import { METHODS } from '../methods/index.ts'
import { anyGpu, NO_GPU } from '../testing/gpu.ts'
import { tinyWorld } from '../testing/tiny-world.ts'
import { examine } from './doctor.ts'

it('says what the CPU computes of every method', async () => {
  const world = await tinyWorld(1)
  const { devices, placed, crossings, environment, changed } = await examine({ model: world.model, threads: 1 })
  await world.remove()
  expect(environment).toMatchObject({ device: 'cpu', threads: 1 })
  expect(Object.keys(devices)).toEqual(['cpu', 'webgpu', 'cuda'])
  expect(devices.cpu).toBe('ok')
  expect(changed).toEqual([])
  expect(crossings).toBe(0)
  expect(placed.length).toBeGreaterThan(METHODS.length)
  const coop = placed.find(({ what }) => what.startsWith('CoOp, middle'))
  expect(coop?.onCpu).toMatchObject({ MatMul: expect.any(Number), Softmax: expect.any(Number) })
})

it('finds no operator that falls back from WebGPU to the CPU, and no copy between them', async ({ skip }) => {
  const gpu = await anyGpu()
  if (gpu === undefined) return skip(NO_GPU)
  await gpu.close()
  const world = await tinyWorld(1)
  // by software the other methods take minutes; coop has all that a text tower has, Tip-Adapter the comparisons
  const { placed, environment } = await examine({ model: world.model, device: 'webgpu', method: 'tip-adapter' })
  await world.remove()
  expect(environment.device).toBe('webgpu')
  expect(placed.filter(({ onCpu, crossings }) => crossings > 0 || Object.keys(onCpu).length > 0)).toEqual([])
  expect(placed.filter(({ onDevice }) => onDevice === 0)).toEqual([])
})
