import Engine

extension DeviceCheck {
  /// Checks that collectives with a single rank leave every value unchanged, bit for bit.
  ///
  /// The check shows that NCCL can be called and that its streams wait for one another. It does not
  /// show that several GPUs agree.
  func checkLink() -> Row {
    row("NCCL, one rank", within: 0) { backend in
      let store = ParameterStore(backend: backend)
      let parameter = store.add("rows", [size.rows, size.width], .normal(deviation: 1))
      store.initialize(seed: 4)
      var answers: [[Float]] = []
      let seconds = seconds(on: backend) {
        backend.link?.broadcast(parameter.tensor)
        backend.link?.beginSum(parameter.tensor)
        backend.link?.finishSums()
        backend.link?.sum(parameter.tensor)
        answers.append(backend.values(of: parameter.tensor))
        let all = backend.link?.gatherRows(parameter.tensor, counts: [size.rows]) ?? parameter.tensor
        answers.append(backend.values(of: all))
      }
      return (answers, seconds)
    }
  }
}
