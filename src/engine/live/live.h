// SPDX-License-Identifier: Apache-2.0
//
// A live run: an execution that is made move by move while somebody watches, and whose programs grow meanwhile.
// Each move runs what was done so far again from the start (some microseconds) and goes on from there. So at any time
// it is a plain scenario and a plain schedule, with nothing kept on a suspended stack that other uses of the machine
// could disturb, and replay, shrinking and reports take it like any other.
#pragma once

#include <cstdint>
#include <vector>

#include "live/script.h"
#include "machine/machine.h"

namespace plait {

class Live {
 public:
  // The target must have been set on the machine before each call that runs.
  Live(Machine& machine, Scenario scenario, const Limits& limits)
      : machine_(machine), scenario_(std::move(scenario)), limits_(limits), script_(machine) {}

  // Programs: what is added is done when its context runs.
  void add(uint32_t task, const Operation& operation) {
    scenario_.tasks[task].operations.push_back(operation);
    stale_ = true;
    settled_ = false;
  }
  // Not where there is a device: its lines are the last.
  void add_line(const LineSpec& line) { scenario_.lines.push_back(line); }
  void drop_line() { scenario_.lines.pop_back(); }
  void place(uint32_t task, CpuId cpu) { scenario_.tasks[task].cpu = cpu; }  // of one that has not begun

  // Lets the context take steps as long as it can go on; how many it took. Negative: all that it can take but so many,
  // and one at least. `choice`: what the first of a device is.
  uint32_t steps(ContextId who, int32_t steps, uint8_t choice = 0);
  // The same until it lets others in, for the nth time in the middle of an operation after it had kept them out.
  uint32_t until_opening(ContextId who, uint32_t nth);
  // Lets what runs on its CPU go on until the task can be switched in, which takes a step. False: it never could.
  bool preempt(uint32_t task);
  // Starts the handler. Where nothing can move, it comes before whatever moves next; one may wait so. False: interrupts
  // are off there, its handler runs, or the line goes elsewhere; or it is the device's, which has not raised it.
  bool interrupt(uint32_t line, CpuId cpu);
  // False: it is not preemptible now. A task with nothing to do is there when it has something.
  bool migrate(uint32_t task, CpuId cpu);
  // Everything that was started, by default moves, until nothing can move; then the end is judged.
  void settle();
  // What a replay comes to, which goes on from here by defaults. The machine has its schedule and recorder.
  Outcome outcome(bool events);
  // Puts this run's state on the machine, when somebody has used it for something else since.
  void refresh();

  const Scenario& scenario() const { return scenario_; }
  const Limits& limits() const { return limits_; }
  Machine& machine() { return machine_; }
  const Outcome& last() const { return last_; }
  bool failed() const { return last_.verdict != VerdictKind::kPassed; }
  bool settled() const { return settled_; }
  uint32_t dropped() const { return script_.dropped(); }
  bool begun(uint32_t task) const;
  bool at_hand(uint32_t task) const;  // it has nothing to do, and could begin at once on its CPU

 private:
  void prepare();
  void run(Script::Then then, const Act& act = {});
  uint32_t keep_steps(Act act);

  Machine& machine_;
  Scenario scenario_;
  Limits limits_;
  Script script_;
  Outcome last_;
  bool settled_ = false;
  bool stale_ = true;
  bool deferred_ = false;  // an interrupt waits for something to move
  uint64_t load_ = 0;  // the machine's load that was ours
};

}  // namespace plait
