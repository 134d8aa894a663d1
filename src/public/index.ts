// coop-ts: what runs anywhere. Nothing here needs Node or a page; what does is in coop-ts/node.

// Errors of this package, progress, and random streams.
export { CoopError, DivergedError, FileError, ShapeError, UsageError } from '../base/errors.ts'
export type { AskingHooks, Hooks, Progress, ProgressKind } from '../base/progress.ts'
export { type Random, randomFor } from '../base/random.ts'

// The model: loading a CLIP, its towers as graphs, and features of texts and images.
export { embedRows, encodeTexts, type ImageEncoder, imageEncoder, positionRows, tokenRows } from '../clip/encode.ts'
export { loadClip, type ModelFiles } from '../clip/load.ts'
export { readClipTables } from '../clip/tokenizer/load.ts'
export type { Tokenizer, TokenizerTables } from '../clip/tokenizer/tokenizer.ts'
export type { Between, Place } from '../clip/towers/between.ts'
export { imageTower } from '../clip/towers/image-tower.ts'
export { type Packing, pack } from '../clip/towers/packing.ts'
export { textTower } from '../clip/towers/text-tower.ts'
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
export { constantParameters, type Parameters } from '../clip/weights/parameters.ts'

// Classifiers for other programs.
export { classifierFile, type Exported } from '../exports/classifier-file.ts'
export { WEIGHT_TYPES, type WeightType } from '../exports/pack-weights.ts'

// Bytes and tensors.
export { type ByteSource, bytesSource } from '../formats/safetensors.ts'
export { type FloatTensor, floatTensor, type IntTensor, intTensor, type Shape, type Tensor } from '../graph/tensor.ts'

// Learning by gradients: batches, losses, optimisers, schedules, and classifiers.
export {
  type BatchOrder,
  checkTrainingSet,
  type Feed,
  type Feeds,
  featureFeeds,
  inOrder,
  type OnlineViews,
  type PixelSource,
  pixelFeeds,
  shuffled,
  type TrainingSet,
} from '../learning/batches.ts'
export { accuracyOf, graphClassifier, type ImageClassifier, textClassifier } from '../learning/classifier.ts'
export { imageLogits, labelLoss } from '../learning/logits.ts'
export { type GradientResult, type GradientTask, learnByGradients, stepOf } from '../learning/loop.ts'
export { type AdamWSettings, adamW, type Optimiser, type SgdSettings, sgd } from '../learning/optimisers.ts'
export { defaultEpochs, learningRateOf, type Schedule } from '../learning/schedule.ts'
export type { CheckpointStore, LearnOptions, Step, Tensors } from '../learning/types.ts'

// Methods: CoOp by itself, any method by name, and what a method of your own needs.
export { coopStep } from '../methods/coop/program.ts'
export {
  type LearningSettings,
  PAPER_SETTINGS,
  type TrainedPrompt,
  type TrainingTask,
  trainPrompt,
} from '../methods/coop/train-prompt.ts'
export {
  type AnyMethod,
  type Chosen,
  type Classes,
  defineMethod,
  type FewShotResult,
  type FewShotTask,
  type Learned,
  learnFewShot,
  METHODS,
  type Method,
  methodNamed,
  type NewClass,
  readSettings,
  type Task,
} from '../methods/index.ts'
export { learnedTensor } from '../methods/learned-tensor.ts'
export { templatesSetting, withTemplates } from '../methods/templates-setting.ts'
export { fillTemplate, zeroShotClassifier, zeroShotFeatures } from '../methods/zero-shot/features.ts'
export { IMAGENET_80_TEMPLATES, IMAGENET_TEMPLATES, PAPER_TEMPLATES } from '../methods/zero-shot/templates.ts'

// Pictures to what the image tower takes.
export { preprocess } from '../pictures/preprocess.ts'

// Prompts with learned context: their layout, text features, files and nearest words.
export { startTokens } from '../prompt/context-start.ts'
export { type Position, type PromptLayout, type PromptShape, promptLayout } from '../prompt/layout.ts'
export { type LearnedPrompt, learnedPrompt, readPrompt, writePrompt } from '../prompt/learned-prompt.ts'
export { type NearestOptions, type NearWord, nearestWords } from '../prompt/nearest-words.ts'
export { promptClassifier, promptFeatures } from '../prompt/prompt-classifier.ts'
export { classFeatures, classFeaturesProgram, contextShape } from '../prompt/prompted-tower.ts'

// Computing: programs run in a worker.
export { openRuntime, type WorkerPort } from '../runtime/client.ts'
export type { Device, Runtime, RuntimeOptions, Session } from '../runtime/types.ts'
