import CCUDA
import CKernels

extension CUDABackend {
  /// Takes device memory from the pool of buffers; it is freed in the stream's order.
  public func makeStorage(count: Int, type: ElementType) -> Storage {
    CUDAStorage(count: count, type: type, memory: deviceMemory)
  }

  /// Takes device memory and fills it with zeros by a kernel.
  public func makeZeros(count: Int, type: ElementType) -> Storage {
    let storage = makeStorage(count: count, type: type)
    run(Fill(Tensor(rows: 1, columns: count, storage: storage), with: 0))
    return storage
  }

  /// Takes device memory for weights; in bf16 they have a bfloat16 copy that products read.
  public func makeWeights(count: Int) -> Storage {
    let copy =
      precision == .bf16 ? CUDAStorage(count: count, type: .bfloat16, memory: deviceMemory) : nil
    return CUDAStorage(count: count, type: .float32, memory: deviceMemory, copy: copy)
  }

  /// Queues a copy through a pinned buffer; rounds on the host for a bfloat16 tensor.
  ///
  /// A large float32 upload travels as IEEE halves if all its values are such, as most stores'
  /// features are. A kernel widens them: half of the bytes, and no bit changes.
  public func upload(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) {
    let type = tensor.storage.type
    precondition(type == .float32 || type == .bfloat16)
    changes(tensor)
    if type == .float32, uploadHalves(to: tensor, fill) { return }
    deviceMemory.upload(
      count: tensor.count * type.size, to: tensor.storage.onDevice, at: tensor.offset * type.size
    ) { room in
      Self.put(fill, count: tensor.count) { run, count, done in
        let place = room + done * type.size
        if type == .bfloat16 {
          hero_kernels_best().pointee.narrow(place.assumingMemoryBound(to: hero_bf16.self), run, count)
        } else {
          place.copyMemory(from: run, byteCount: count * type.size)
        }
      }
      return true
    }
  }

  /// Uploads values that are all IEEE halves as such.
  /// - Returns: false, with nothing queued, if there are few values or one of them is no half.
  private func uploadHalves(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) -> Bool
  {
    guard CUDAMemory.hasOwnStream(bytes: 2 * tensor.count) else { return false }
    let halve = hero_kernels_best().pointee.halve
    // Values that are no halves usually show within the first 64.
    var areHalves = true
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 64) { room in
      Self.put(fill, count: tensor.count) { run, count, done in
        if done == 0 { areHalves = halve?(room.baseAddress, run, min(64, count)) == true }
      }
    }
    guard areHalves else { return false }
    return deviceMemory.upload(
      count: 2 * tensor.count, to: tensor.storage.onDevice, at: 4 * tensor.offset
    ) { room in
      Self.put(fill, count: tensor.count) { run, count, done in
        let place = (room + 2 * done).assumingMemoryBound(to: UInt16.self)
        areHalves = areHalves && halve?(place, run, count) == true
      }
      return areHalves
    } widen: { halves, address, stream in
      let to = hero_view(data: UnsafeMutableRawPointer(bitPattern: UInt(address)), bf16: 0)
      self.launch(
        .halves, elements: tensor.count, each: 4,
        hero_halves_arguments(x: UnsafePointer(bitPattern: UInt(halves)), y: to, count: Int64(tensor.count)),
        on: stream)
    }
  }

  /// Calls `body` for each run of values, with the number of values before it.
  private static func put(
    _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void, count: Int,
    _ body: (_ run: UnsafePointer<Float>, _ count: Int, _ done: Int) -> Void
  ) {
    var done = 0
    // The closure that `fill` gets may not capture `body`: both are non-escaping parameters.
    withoutActuallyEscaping(body) { body in
      fill { run in
        precondition(done + run.count <= count)
        guard let base = run.baseAddress, run.count > 0 else { return }
        body(base, run.count, done)
        done += run.count
      }
    }
    precondition(done == count)
  }

  /// Queues a copy of int32 numbers through a pinned buffer.
  public func upload(_ values: UnsafeBufferPointer<Int32>, to indices: Indices) {
    precondition(values.count == indices.count)
    deviceMemory.upload(UnsafeRawBufferPointer(values), to: indices.storage.onDevice, offset: indices.offset)
  }

  /// Copies a tensor to the host and waits for the stream; the host widens bfloat16.
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

  /// Copies indices to the host and waits for the stream.
  public func download(_ indices: Indices, to values: UnsafeMutableBufferPointer<Int32>) {
    precondition(values.count == indices.count)
    deviceMemory.download(indices.address, to: UnsafeMutableRawBufferPointer(values))
    synchronize()
  }

  /// Queues copies to pinned memory; only the reading's `numbers` waits for them.
  public func reading(_ tensors: [Tensor]) -> any Reading {
    deviceMemory.reading(
      tensors.map { tensor in
        precondition(tensor.storage.type == .float64)
        return (tensor.address, 8 * tensor.count)
      })
  }

  /// Waits until the device has done everything that is queued.
  public func synchronize() { stream.synchronize() }

  /// Marks the bfloat16 copy of a tensor that changes as old.
  func changes(_ tensor: Tensor) { tensor.storage.onDevice.copyIsOld = true }
}
