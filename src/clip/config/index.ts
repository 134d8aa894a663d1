export { parseHuggingFaceConfig } from './huggingface.ts'
export { openClipTokenizer, parseOpenClipConfig } from './openclip.ts'
export { CLIP_MEAN, CLIP_STD, type ConfigFile } from './schema.ts'
