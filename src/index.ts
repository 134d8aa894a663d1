// coop-ts: what runs anywhere. Nothing here needs Node or a page; what does is in coop-ts/node.

export { IMAGENET_80_TEMPLATES, IMAGENET_TEMPLATES, PAPER_TEMPLATES } from './baselines/templates.ts'
export { fillTemplate, zeroShotClassifier, zeroShotFeatures } from './baselines/zero-shot.ts'
export { encodeTexts, type ImageEncoder, imageEncoder } from './clip/encode.ts'
export { loadClip, type ModelFiles } from './clip/load.ts'
export { preprocess } from './clip/preprocess.ts'
export { type ByteSource, bytesSource } from './clip/safetensors.ts'
export type { Tokenizer } from './clip/tokenizer.ts'
export type {
  Activation,
  Clip,
  ClipConfig,
  PreprocessConfig,
  ResNetConfig,
  RgbImage,
  TextConfig,
  TransformerConfig,
  VitConfig,
  Weights,
} from './clip/types.ts'
export { CoopError, DivergedError, FileError, ShapeError, UsageError } from './errors.ts'
export { type FloatTensor, floatTensor, type IntTensor, intTensor, type Shape, type Tensor } from './graph/tensor.ts'
export type { Hooks, Progress, ProgressKind } from './progress.ts'
export { type BatchOrder, inOrder, shuffled, type TrainingSet } from './prompt/batches.ts'
export { accuracyOf, type Classifier, classifierOf, promptClassifier } from './prompt/classifier.ts'
export { startTokens } from './prompt/context-start.ts'
export { FULL_BATCH, type FullBatchLearner, fullBatchLearner } from './prompt/full-batch.ts'
export { type Position, type PromptLayout, type PromptShape, promptLayout } from './prompt/layout.ts'
export { type LearnedPrompt, learnedPrompt, readPrompt, writePrompt } from './prompt/learned-prompt.ts'
export { type NearestOptions, type NearWord, nearestWords } from './prompt/nearest-words.ts'
export { classFeaturesProgram, trainingProgram } from './prompt/prompted-tower.ts'
export { defaultEpochs, learningRateOf } from './prompt/schedule.ts'
export {
  type LearningSettings,
  PAPER_SETTINGS,
  startOf,
  type TrainingOptions,
  type TrainingState,
  type TrainingTask,
  trainPrompt,
} from './prompt/train.ts'
export { openRuntime, type WorkerPort } from './runtime/client.ts'
export type { Device, Runtime, RuntimeOptions, Session } from './runtime/types.ts'
