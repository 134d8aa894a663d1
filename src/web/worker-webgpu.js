// @ts-check
// The body of a module worker with ONNX Runtime's build for WebGPU, which is twice as large.
import * as ort from 'onnxruntime-web/webgpu'
import { serveOnnx } from './serve-onnx.js'

serveOnnx(ort)
