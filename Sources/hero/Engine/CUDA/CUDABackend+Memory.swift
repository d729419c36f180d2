import CCUDA

extension CUDABackend {
  /// Memory of the device, from the pool of buffers; freed in the stream's order.
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    CUDAStorage(count: count, type: type, memory: deviceMemory)
  }

  /// Memory of the device, filled by a kernel.
  public func makeZeros(count: Int, type: ElementType) -> Storage {
    let storage = makeStorage(count: count, type: type)
    run(Fill(Tensor(rows: 1, columns: count, storage: storage), with: 0))
    return storage
  }

  /// In bf16, weights have a bfloat16 copy for products, which follows their changes.
  public func makeWeights(count: Int) -> Storage {
    let copy =
      precision == .bf16 ? CUDAStorage(count: count, type: .bfloat16, memory: deviceMemory) : nil
    return CUDAStorage(count: count, type: .float32, memory: deviceMemory, copy: copy)
  }

  /// Queues a copy through a pinned buffer; rounds to bfloat16 on the host where the tensor is so.
  public func upload(_ values: UnsafeBufferPointer<Float>, to tensor: Tensor) {
    precondition(values.count == tensor.count)
    changes(tensor)
    let storage = tensor.storage.onDevice
    if tensor.storage.type == .bfloat16 {
      deviceMemory.uploadNarrowed(values, to: storage, offset: tensor.offset)
    } else {
      precondition(tensor.storage.type == .float32)
      deviceMemory.upload(UnsafeRawBufferPointer(values), to: storage, offset: tensor.offset)
    }
  }

  /// Queues a copy of int32 numbers through a pinned buffer.
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    precondition(values.count == indices.count)
    deviceMemory.upload(
      UnsafeRawBufferPointer(values), to: indices.storage.onDevice, offset: indices.offset)
  }

  /// Waits for the stream. Widens bfloat16 on the host.
  public func download(_ tensor: Tensor, to values: UnsafeMutableBufferPointer<Float>) {
    precondition(values.count == tensor.count)
    if tensor.storage.type == .bfloat16 {
      var narrow = [UInt16](repeating: 0, count: values.count)
      narrow.withUnsafeMutableBytes {
        deviceMemory.download(tensor.address, to: $0)
        synchronize()
      }
      for (place, bits) in narrow.enumerated() { values[place] = BFloat16.float(bits) }
    } else {
      precondition(tensor.storage.type == .float32)
      deviceMemory.download(tensor.address, to: UnsafeMutableRawBufferPointer(values))
      synchronize()
    }
  }

  /// Waits for the stream.
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    precondition(values.count == indices.count)
    deviceMemory.download(indices.address, to: UnsafeMutableRawBufferPointer(values))
    synchronize()
  }

  /// Queues copies to pinned memory, which only `numbers` waits for.
  public func reading(_ tensors: [Tensor]) -> any Reading {
    deviceMemory.reading(
      tensors.map { tensor in
        precondition(tensor.storage.type == .float64)
        return (tensor.address, 8 * tensor.count)
      })
  }

  /// Waits until the device has done everything that is queued.
  public func synchronize() { stream.synchronize() }

  /// What keeps a copy of the weights must know that they change.
  func changes(_ tensor: Tensor) { tensor.storage.onDevice.copyIsOld = true }
}
