// @ts-check
// The body of a module worker with ONNX Runtime's WebAssembly build. Without thread support it is one file of code and
// one of WebAssembly.
import * as ort from 'onnxruntime-web/wasm'
import { serveOnnx } from './serve-onnx.js'

serveOnnx(ort)
