import { styleTask, toneTask } from './attributes.ts'
import { openHeldOut } from './held-out.ts'
import { objectTask } from './objects.ts'
import { peopleTaskList } from './people.ts'
import type { DemoTask } from './types.ts'

export type { DemoImage, DemoTask, HeldOutStyle } from './types.ts'

/**
 * The demo's tasks, in the order of the report: always the same pictures in the same order. The one marked `shift`
 * comes last and counts in no mean. Throws FileError when the packages of drawings are not installed.
 */
export async function demoTasks(): Promise<DemoTask[]> {
  const heldOut = await openHeldOut()
  const tasks = [objectTask(heldOut), ...peopleTaskList(heldOut), styleTask(heldOut), toneTask(heldOut)]
  return [...tasks.filter((task) => !task.shift), ...tasks.filter((task) => task.shift)]
}
