/// Collectives of tensors, which pass through the host's memory if the devices have no link.
extension Communicator {
  /// Copies rank 0's elements of a tensor of values to all ranks.
  public func broadcast(_ tensor: Tensor, on backend: any Backend) {
    guard size > 1, tensor.count > 0 else { return }
    if let link = backend.link { return link.broadcast(tensor) }
    tensor.withHostElements(on: backend, writesBack: !isFirst) {
      broadcast(UnsafeMutableRawBufferPointer($0), from: 0)
    }
  }

  /// Sums a tensor over all ranks, in place.
  public func sum(_ tensor: Tensor, on backend: any Backend) {
    guard size > 1, tensor.count > 0 else { return }
    if let link = backend.link { return link.sum(tensor) }
    beginSum(tensor, on: backend, channel: .foreground).wait()
  }

  /// Begins to sum a tensor over all ranks; nothing may touch it before the end.
  func beginSum(_ tensor: Tensor, on backend: any Backend, channel: Channel) -> PendingSum {
    PendingSum(tensor, backend: backend, communicator: self, channel: channel)
  }

  /// Returns every rank's rows, one rank below the other.
  /// - Parameter counts: the number of rows of each rank.
  public func gatherRows(_ own: Tensor, counts: [Int], on backend: any Backend) -> Tensor {
    precondition(counts.count == size && own.rows == counts[rank])
    guard size > 1 else { return own }
    if let link = backend.link { return link.gatherRows(own, counts: counts) }
    let all = Tensor(
      rows: counts.reduce(0, +), columns: own.columns,
      storage: backend.makeStorage(count: counts.reduce(0, +) * own.columns, type: own.storage.type))
    let start = counts[..<rank].reduce(0, +)
    if own.count > 0 { backend.run(Copy(own, to: all.rowsView(start..<start + own.rows))) }
    all.withHostElements(on: backend, writesBack: true) {
      gather(
        UnsafeMutableRawBufferPointer($0),
        counts: counts.map { $0 * own.columns * MemoryLayout<Float>.stride })
    }
    return all
  }
}

extension Tensor {
  /// The elements of a float32 tensor in the host's memory; nil for any other.
  var onHost: UnsafeMutableBufferPointer<Float>? {
    storage is HostStorage && storage.type == .float32
      ? UnsafeMutableBufferPointer(start: pointer, count: count) : nil
  }

  /// Runs `body` on the elements, or on a copy that is put back if `writesBack` is true.
  fileprivate func withHostElements(
    on backend: any Backend, writesBack: Bool, _ body: (UnsafeMutableBufferPointer<Float>) -> Void
  ) {
    if let onHost {
      if writesBack { storage.onHost.changes() }
      return body(onHost)
    }
    let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    defer { copy.deallocate() }
    backend.download(self, to: copy)
    body(copy)
    if writesBack { backend.upload(UnsafeBufferPointer(copy), to: self) }
  }
}

/// A sum of a tensor over all ranks, in progress.
final class PendingSum {
  let tensor: Tensor
  private let backend: any Backend
  /// The collective in the host's memory; nil if the devices sum over their link.
  let collective: PendingCollective?
  /// The elements that travel in place of a device's memory.
  private let copy: UnsafeMutableBufferPointer<Float>?

  init(_ tensor: Tensor, backend: any Backend, communicator: any Communicator, channel: Channel) {
    (self.tensor, self.backend) = (tensor, backend)
    if let link = backend.link {
      (collective, copy) = (nil, nil)
      link.beginSum(tensor)
    } else if let elements = tensor.onHost {
      copy = nil
      collective = communicator.begin(.sum(elements), on: channel)
    } else {
      let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: tensor.count)
      backend.download(tensor, to: copy)
      self.copy = copy
      collective = communicator.begin(.sum(copy), on: channel)
    }
  }

  /// Waits for the sum; over a link, makes whatever is queued from here on come after it.
  func wait() {
    guard let collective else {
      backend.link?.finishSums()
      return
    }
    collective.wait()
    if let copy { backend.upload(UnsafeBufferPointer(copy), to: tensor) }
  }

  deinit { copy?.deallocate() }
}
