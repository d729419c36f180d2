extension ProfiledBackend {
  public var memory: (peak: Int, now: Int) { base.memory }
  public var precision: Precision { base.precision }
  public var stepsBetweenReads: Int { base.stepsBetweenReads }
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    base.makeStorage(count: count, type: type)
  }
  public func makeWeights(count: Int) -> Storage { base.makeWeights(count: count) }

  public func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor) {
    moved(.upload, bytes: 2 * tensor.bytes) { base.upload(values, to: tensor) }
  }

  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    moved(.download, bytes: 2 * tensor.bytes) { base.download(tensor, to: values) }
  }

  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    moved(.upload, bytes: 2 * indices.bytes) { base.upload(values, to: indices) }
  }

  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    moved(.download, bytes: 2 * indices.bytes) { base.download(indices, to: values) }
  }

  public func numbers(of tensors: [Tensor]) -> [Double] {
    moved(.read, bytes: tensors.reduce(0) { $0 + $1.bytes }) { base.numbers(of: tensors) }
  }

  public func synchronize() { moved(.wait, bytes: 0) { base.synchronize() } }

  public func fill(_ tensor: Tensor, with value: Float) {
    measured(.fill, bytes: tensor.bytes, shape: tensor.shape) { base.fill(tensor, with: value) }
  }

  public func add(_ x: Tensor, to y: Tensor) {
    measured(.add, bytes: x.bytes + 2 * y.bytes, shape: x.shape) { base.add(x, to: y) }
  }

  public func copy(_ x: Tensor, to y: Tensor) {
    measured(.copy, bytes: x.bytes + y.bytes, shape: x.shape) { base.copy(x, to: y) }
  }

  public func scale(_ x: Tensor, by factor: Float) {
    measured(.scale, bytes: 2 * x.bytes, shape: x.shape) { base.scale(x, by: factor) }
  }
}
