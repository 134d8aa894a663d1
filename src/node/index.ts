// coop-ts/node: files, pictures, folders of images, and ONNX Runtime in a worker thread.

export { checkShots, drawFewShot } from '../data/fewshot.ts'
export { type FolderOptions, readImageFolder } from '../data/folder.ts'
export type { Dataset, Item } from '../data/items.ts'
export { type OpenOptions, openDataset } from '../data/open.ts'
export {
  type EncodedItems,
  encodeSets,
  imageRows,
  type PictureOptions,
  type PictureSet,
} from '../experiments/pictures.ts'
export { type FinishedRun, type RunOptions, readRunPrompt, trainInFolder } from '../experiments/run.ts'
export { fileSource, folderModelFiles, writeFileAtomic } from './files.ts'
export {
  HubError,
  type HubListing,
  type HubModel,
  type HubRepo,
  hubFile,
  hubFiles,
  hubModel,
  parseHubId,
} from './hub/index.ts'
export { decodeImage, encodePng } from './image.ts'
export { bundledModel } from './package.ts'
export { nodeRuntime } from './runtime.ts'
