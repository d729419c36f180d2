/// Connects the devices of a job's ranks without the host's memory (NCCL).
///
/// All ranks make the same calls in the same order, pending sums included; a rank that is out of
/// step leaves the others waiting. Calls queue work, as a backend's do, and never wait.
public protocol DeviceLink: AnyObject, Sendable {
  /// What carries it: `NCCL 2.27.3`.
  var summary: String { get }
  /// Rank 0's elements, on all ranks.
  func broadcast(_ tensor: Tensor)
  /// The tensor added up over all ranks, in place.
  func sum(_ tensor: Tensor)
  /// Begins the same beside other queued work; nothing may touch the tensor before `finishSums`.
  func beginSum(_ tensor: Tensor)
  /// What is queued from here on comes after the sums that were begun.
  func finishSums()
  /// Every rank's rows below one another.
  /// - Parameter counts: rows of each rank.
  func gatherRows(_ own: Tensor, counts: [Int]) -> Tensor
}
