// @ts-check
import { postAnswer, serving } from '../runtime/serve.js'

/** @import { Answer } from '../runtime/types.ts' */

/** Answers what is posted to this worker. @param {typeof import('onnxruntime-web')} ort */
export function serveOnnx(ort) {
  // What goes wrong comes back as an error; ONNX Runtime need not print it as well.
  ort.env.logLevel = 'fatal'
  const serve = serving(ort, async (provider, threads) => {
    ort.env.wasm.numThreads = threads
    return { executionProviders: provider === 'cpu' ? ['wasm'] : [provider, 'wasm'] }
  })

  /** @type {unknown} */
  let watched
  /** A graphics card may be taken away at any time: what it held is gone. ONNX Runtime ends its device itself with its last session. */
  async function watchDevice() {
    const device = await ort.env.webgpu.device
    if (device === watched) return
    watched = device
    const { message, reason } = await device.lost
    if (reason !== 'destroyed') self.postMessage({ lost: message || 'the browser does not say why' })
  }

  let isGpu = false
  let last = Promise.resolve()
  self.addEventListener('message', ({ data }) => {
    last = last.then(async () => {
      /** @type {Answer} */
      const answer = await serve(data)
      if (data.kind === 'open') isGpu = data.provider === 'webgpu'
      if (data.kind === 'load' && isGpu) void watchDevice()
      postAnswer({ postMessage: (message, transfer = []) => self.postMessage(message, { transfer }) }, answer)
    })
  })
}
