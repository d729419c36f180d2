// Adam's family over all weights; the gradients' norm is read here, on the device.

enum { UPDATE_ADAM, UPDATE_ADAMAX, UPDATE_ADAMW };

KERNEL update(const hero_update_arguments a) {
  float scale = 1;
  if (a.squares) {
    double norm = sqrt(*a.squares);
    // A norm that is no finite number leaves the weights alone.
    if (!(norm <= 1.7976931348623157e308)) return;
    if (a.limit > 0 && a.limit / (norm + 1e-6) < 1) scale = (float)(a.limit / (norm + 1e-6));
  }
  int low = 0, high = a.slice_count - 1;
  while (low < high) {
    int middle = (low + high + 1) / 2;
    if (a.slices[middle].first_block <= (long long)blockIdx.x) low = middle;
    else high = middle - 1;
  }
  hero_slice slice = a.slices[low];
  long long first = ((long long)blockIdx.x - slice.first_block) * HERO_UPDATE_STRETCH;
  long long last = first + HERO_UPDATE_STRETCH < slice.count ? first + HERO_UPDATE_STRETCH : slice.count;
  for (long long i = slice.start + first + threadIdx.x; i < slice.start + last; i += blockDim.x) {
    float value = a.values[i], d = slice.gradients[i - slice.start] * scale;
    if (a.kind != UPDATE_ADAMW) d = value * slice.weight_decay + d;
    float first_moment = a.first[i] * a.beta1 + d * (1 - a.beta1), second_moment;
    if (a.kind == UPDATE_ADAMAX) {
      second_moment = fmaxf(a.second[i] * a.beta2, fabsf(d) + a.epsilon);
      value -= slice.step_size * first_moment / second_moment;
    } else {
      second_moment = a.second[i] * a.beta2 + d * d * (1 - a.beta2);
      float root = sqrtf(second_moment);
      if (a.kind == UPDATE_ADAM) {
        // `rate` holds the square root of the second moment's correction.
        value -= slice.step_size * first_moment / (root / slice.rate + a.epsilon);
      } else {
        value -= slice.step_size * first_moment / (root + a.epsilon);
        value *= 1 - slice.rate * slice.weight_decay;
      }
    }
    a.first[i] = first_moment;
    a.second[i] = second_moment;
    a.values[i] = value;
    if (a.copy) a.copy[i] = narrow(value);
  }
}
