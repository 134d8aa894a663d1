import { clockFaults } from './clock.ts'
import { containerFaults } from './container.ts'
import { damageFaults } from './damage.ts'
import type { Fault } from './fault.ts'
import { killFaults } from './kill.ts'
import { memoryFaults } from './memory.ts'
import { permissionFaults } from './permission.ts'
import { roomFaults } from './room.ts'
import { workerFaults } from './workers.ts'

/** Everything that goes wrong. */
export const FAULTS: readonly Fault[] = [
  ...killFaults,
  ...roomFaults,
  ...permissionFaults,
  ...damageFaults,
  ...clockFaults,
  ...containerFaults,
  ...memoryFaults,
  ...workerFaults,
]
