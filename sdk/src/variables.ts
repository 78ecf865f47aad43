/** What programs of a module find in their environment: scripts, handlers, agents. */
import type { ModuleContext } from './services.js'

/**
 * Our names, and those of the product whose scripts many people have. Whatever starts a part of the application passes on HOLDFAST_RUN:
 * by it a stop finds what was left.
 */
export function moduleVariables({
  name,
  id,
  node,
  nodes,
  directories,
}: ModuleContext): Readonly<Record<string, string>> {
  const { package: applied, state, run, logs } = directories
  return {
    HOLDFAST_MODULE: name,
    HOLDFAST_MODULE_ID: String(id),
    HOLDFAST_NODE: node,
    HOLDFAST_PEER: nodes.find((one) => one !== node) ?? '',
    HOLDFAST_BIN: `${applied}/bin`,
    HOLDFAST_CONF: `${applied}/conf`,
    HOLDFAST_STATE: state,
    HOLDFAST_RUN: run,
    HOLDFAST_LOGS: logs,
    SAFEMODULE: name,
    SAFEUSERBIN: `${applied}/bin`,
    SAFEUSERCONF: `${applied}/conf`,
    SAFEUSERVAR: state,
  }
}
