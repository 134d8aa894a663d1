export { type FewShotResult, type FewShotTask, learnFewShot } from './learn-few-shot.ts'
export {
  type AnyMethod,
  CHOICES,
  type Chosen,
  type Classes,
  defineMethod,
  howChosen,
  type Learned,
  type Method,
  type NewClass,
  type Task,
} from './method.ts'
export { readSettings, settingNames } from './settings.ts'
export { METHOD_NAMES, METHODS, methodNamed } from './table.ts'
