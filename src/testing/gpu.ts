import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { nodeRuntime } from '../node/runtime.ts'
import type { Runtime } from '../runtime/types.ts'

/** The driver for graphics that computes on the CPU, which Debian's package `chromium` brings. */
const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json'

/** The environment in which WebGPU runs without a graphics card, where there is that driver. */
export function softwareGpu(): Readonly<Record<string, string>> {
  if (!existsSync(SOFTWARE_DRIVER)) return {}
  const { VK_DRIVER_FILES = SOFTWARE_DRIVER, XDG_RUNTIME_DIR = tmpdir() } = process.env
  return { VK_DRIVER_FILES, XDG_RUNTIME_DIR }
}

// A process looks for drivers once: whoever needs the software driver has it from the start.
Object.assign(process.env, softwareGpu())

export const NO_GPU = 'no graphics card, and no chromium with libvulkan1 whose software driver stands in for one'

/** A runtime on WebGPU, on a graphics card or on the software driver; undefined where there is neither. */
export const anyGpu = (): Promise<Runtime | undefined> => nodeRuntime({ device: 'webgpu' }).catch(() => undefined)
