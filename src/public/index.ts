export { promptClassifier } from '../prompt/prompt-classifier.ts'
// coop-ts: what runs anywhere. Nothing here needs Node or a page; what does is in coop-ts/node.

export { CoopError, DivergedError, FileError, ShapeError, UsageError } from '../base/errors.ts'
export type { Hooks, Progress, ProgressKind } from '../base/progress.ts'
export { encodeTexts, type ImageEncoder, imageEncoder } from '../clip/encode.ts'
export { loadClip, type ModelFiles } from '../clip/load.ts'
export type { Tokenizer } from '../clip/tokenizer/tokenizer.ts'
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
} from '../clip/types.ts'
export { type ByteSource, bytesSource } from '../formats/safetensors.ts'
export { type FloatTensor, floatTensor, type IntTensor, intTensor, type Shape, type Tensor } from '../graph/tensor.ts'
export { type BatchOrder, inOrder, shuffled, type TrainingSet } from '../learning/batches.ts'
export { accuracyOf, type Classifier, classifierOf } from '../learning/classifier.ts'
export { defaultEpochs, learningRateOf } from '../learning/schedule.ts'
export { fillTemplate, zeroShotClassifier, zeroShotFeatures } from '../methods/zero-shot/features.ts'
export { IMAGENET_80_TEMPLATES, IMAGENET_TEMPLATES, PAPER_TEMPLATES } from '../methods/zero-shot/templates.ts'
export { preprocess } from '../pictures/preprocess.ts'
export { startTokens } from '../prompt/context-start.ts'
export { FULL_BATCH, type FullBatchLearner, fullBatchLearner } from '../prompt/full-batch.ts'
export { type Position, type PromptLayout, type PromptShape, promptLayout } from '../prompt/layout.ts'
export { type LearnedPrompt, learnedPrompt, readPrompt, writePrompt } from '../prompt/learned-prompt.ts'
export { type NearestOptions, type NearWord, nearestWords } from '../prompt/nearest-words.ts'
export { classFeaturesProgram, trainingProgram } from '../prompt/prompted-tower.ts'
export {
  type LearningSettings,
  PAPER_SETTINGS,
  startOf,
  type TrainingOptions,
  type TrainingState,
  type TrainingTask,
  trainPrompt,
} from '../prompt/train.ts'
export { openRuntime, type WorkerPort } from '../runtime/client.ts'
export type { Device, Runtime, RuntimeOptions, Session } from '../runtime/types.ts'
