/** Of this package and of the onnxruntime-web that it is made for, as package.json has them. */
export const VERSION = '0.1.0'
export const ONNXRUNTIME_WEB = '1.30.0'
