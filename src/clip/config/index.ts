export { parseHuggingFaceConfig } from './huggingface.ts'
export { parseOpenClipConfig } from './openclip.ts'
export { CLIP_MEAN, CLIP_STD, type ConfigFile } from './schema.ts'
