export { parseHuggingFaceConfig } from './config-huggingface.ts'
export { parseOpenClipConfig } from './config-openclip.ts'
export { CLIP_MEAN, CLIP_STD, type ConfigFile } from './config-schema.ts'
