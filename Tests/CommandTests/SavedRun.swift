import Formats
import TestSupport
import Testing

extension AdamRun {
  /// Reads the training state that a run saved after an update.
  init(folder: String, step: Int) throws {
    self.init(weights: [:], first: [:], second: [:])
    let state = try Safetensors.read(path: "\(folder)/ckpt/state_step_\(step).safetensors")
    for (name, array) in state.tensors {
      let (kind, parameter) = (name.prefix { $0 != "." }, String(name.drop { $0 != "." }.dropFirst()))
      switch kind {
      case "model": weights[parameter] = array.floats()
      case "exp_avg": first[parameter] = array.floats()
      default: second[parameter] = array.floats()
      }
    }
    // The checkpoint has the weights of the state.
    let model = try Safetensors.read(path: "\(folder)/ckpt/model_step_\(step).safetensors")
    for (name, array) in model.tensors { #expect(weights[name] == array.floats(), "\(name)") }
    #expect(model.tensors.count == weights.count && !weights.isEmpty)
  }
}
