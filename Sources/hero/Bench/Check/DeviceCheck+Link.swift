import Engine

extension DeviceCheck {
  /// What comes of collectives where one rank is all there is: everything as it was, to the last
  /// bit. This tells whether NCCL can be called, and whether its streams wait for one another; not
  /// whether several GPUs agree.
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
