/// Tensors between ranks. Where a device's memory is not the host's and the devices have no link,
/// they pass through the host's.
extension Communicator {
  /// Rank 0's elements of a tensor of values, on all ranks.
  public func broadcast(_ tensor: Tensor, on backend: any Backend) {
    guard size > 1, tensor.count > 0 else { return }
    if let link = backend.link { return link.broadcast(tensor) }
    tensor.withHostElements(on: backend, writesBack: !isFirst) {
      broadcast(UnsafeMutableRawBufferPointer($0), from: 0)
    }
  }

  /// A tensor added up over all ranks, in place.
  public func sum(_ tensor: Tensor, on backend: any Backend) {
    guard size > 1, tensor.count > 0 else { return }
    if let link = backend.link { return link.sum(tensor) }
    beginSum(tensor, on: backend, channel: .foreground).wait()
  }

  /// Begins to sum a tensor over all ranks; nothing may touch it before the end.
  func beginSum(_ tensor: Tensor, on backend: any Backend, channel: Channel) -> PendingSum {
    PendingSum(tensor, backend: backend, communicator: self, channel: channel)
  }

  /// Every rank's rows below one another.
  /// - Parameter counts: rows of each rank.
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
  /// The elements of a float32 tensor that lies in the host's memory.
  var onHost: UnsafeMutableBufferPointer<Float>? {
    storage is HostStorage && storage.type == .float32
      ? UnsafeMutableBufferPointer(start: pointer, count: count) : nil
  }

  /// Runs `body` on the elements, or on a copy of them that is put back.
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

/// A tensor whose sum over all ranks is under way.
final class PendingSum {
  let tensor: Tensor
  private let backend: any Backend
  /// Nil where the devices add up themselves.
  let collective: PendingCollective?
  /// What travels in place of a device's memory.
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

  /// Returns when it is over; where the devices add up themselves, what is queued from here on
  /// comes after it.
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
