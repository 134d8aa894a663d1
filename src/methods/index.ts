export { type FewShotResult, type FewShotTask, learnFewShot } from './learn-few-shot.ts'
export { type AnyMethod, type Classes, defineMethod, type Learned, type Method, type Task } from './method.ts'
export { readSettings, settingNames } from './settings.ts'
export { METHOD_NAMES, METHODS, methodNamed } from './table.ts'
