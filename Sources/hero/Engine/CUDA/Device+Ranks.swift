import CCUDA

extension Device {
  /// The kind of a rank's device, as it tells the others.
  private enum Kind: UInt8 {
    case processor, linkable, unlinkable
  }

  /// Connects the devices of all ranks by NCCL where it can, bypassing the hosts' memory.
  ///
  /// All ranks call it with the device that they opened.
  /// - Parameter note: called with one line that says why gradients of GPUs go through the host.
  /// - Throws: `EngineError` if NCCL is installed and fails.
  public static func link(
    _ backend: any Backend, among communicator: any Communicator, note: (String) -> Void
  ) throws {
    let device = backend as? CUDABackend
    let hasNCCL = device?.stream.functions.ranks_version != nil
    let kind: Kind = device == nil ? .processor : hasNCCL ? .linkable : .unlinkable
    let parcels = communicator.gather([kind.rawValue] + (try device?.stream.identity() ?? []))
    let kinds = parcels.map { $0.first.flatMap(Kind.init(rawValue:)) ?? .processor }
    guard kinds.contains(where: { $0 != .processor }) else { return }
    let problem: String? =
      if let rank = kinds.firstIndex(of: .processor) {
        "rank \(rank) computes on the CPU"
      } else if let rank = kinds.firstIndex(of: .unlinkable) {
        "rank \(rank) has no NCCL (see `hero devices`)"
      } else if Set(parcels).count < parcels.count {
        "several ranks share a GPU"
      } else {
        nil
      }
    if let problem { return note("Gradients go through the host's memory: \(problem).") }
    guard let device else { return }
    device.link = try CUDARanks(communicator, stream: device.stream, memory: device.deviceMemory)
  }
}
