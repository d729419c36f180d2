import CCUDA
import CKernels

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
  /// Many floats that are all IEEE halves, as the features of most stores are, are copied as these
  /// and widened by a kernel: half of the bytes, and no bit changes.
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

  /// - Returns: false, and nothing is queued, where there are few or one of them is no half.
  private func uploadHalves(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) -> Bool
  {
    guard CUDAMemory.hasOwnStream(bytes: 2 * tensor.count) else { return false }
    let halve = hero_kernels_best().pointee.halve
    // Other numbers show at once that they are none.
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

  /// Hands on runs that lie end to end, with their places.
  private static func put(
    _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void, count: Int,
    _ body: (_ run: UnsafePointer<Float>, _ count: Int, _ done: Int) -> Void
  ) {
    var done = 0
    // Swift lets no closure capture one that does not escape and is a parameter itself.
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
