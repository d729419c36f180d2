/// The way between the devices of a job's ranks that does not lead through the host's memory
/// (NCCL).
///
/// All ranks call the same in the same order, sums that were begun included; a rank that is out of
/// step leaves the others waiting. Calls queue work, as a backend's do, and wait for nobody.
public protocol DeviceLink: AnyObject, Sendable {
  /// What carries it: `NCCL 2.27.3`.
  var summary: String { get }
  /// Rank 0's elements, on all ranks.
  func broadcast(_ tensor: Tensor)
  /// The tensor added up over all ranks, in place.
  func sum(_ tensor: Tensor)
  /// Begins the same beside what else is queued; nobody may touch the tensor before `finishSums`.
  func beginSum(_ tensor: Tensor)
  /// What is queued from here on comes after the sums that were begun.
  func finishSums()
  /// Every rank's rows below one another.
  /// - Parameter counts: rows of each rank.
  func gatherRows(_ own: Tensor, counts: [Int]) -> Tensor
}
