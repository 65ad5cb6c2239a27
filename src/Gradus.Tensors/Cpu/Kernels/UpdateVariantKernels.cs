// The parts of optimizers other than AdamW and momentum: the same loops over short stretches as in UpdateKernels.cs.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private static void OtherUpdate(UpdateStep step, long start, float* value, float* u, int count)
    {
        switch (step.Kind)
        {
            case UpdateKind.AdamVariant:
                AdamVariantUpdate(step, step.First + start, step.Second + start, Offset(step.Third, start), u, count);
                break;
            case UpdateKind.Clamp:
                ClampUpdate(step, u, count);
                break;
            case UpdateKind.AddAgreeingValue:
                AgreeingUpdate(step, value, u, count);
                break;
            case UpdateKind.RootMeanSquare:
                RootMeanSquareUpdate(step, step.First + start, Offset(step.Second, start), u, count);
                break;
            case UpdateKind.Adamax:
                AdamaxUpdate(step, step.First + start, step.Second + start, u, count);
                break;
            case UpdateKind.Adadelta:
                AdadeltaUpdate(step, step.First + start, step.Second + start, u, count);
                break;
            case UpdateKind.Lion:
                LionUpdate(step, step.First + start, u, count);
                break;
            default:
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AdamVariantUpdate(UpdateStep step, float* m, float* v, float* largest, float* u, int count)
    {
        T b1 = T.Broadcast(step.A), b2 = T.Broadcast(step.B), a1 = T.Broadcast(1f - step.A), a2 = T.Broadcast(1f - step.B);
        T epsilon = T.Broadcast(step.C), momentWeight = T.Broadcast(step.D), squareScale = T.Broadcast(step.E), updateWeight = T.Broadcast(step.F);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T g = T.LoadTail(u + i, n);
            T first = T.Fma(b1, T.LoadTail(m + i, n), a1 * g), second = T.Fma(b2, T.LoadTail(v + i, n), a2 * g * g);
            T.StoreTail(m + i, n, first);
            T.StoreTail(v + i, n, second);
            if (largest != null)
            {
                second = T.Max(T.LoadTail(largest + i, n), second);
                T.StoreTail(largest + i, n, second);
            }
            T.StoreTail(u + i, n, T.Fma(updateWeight, g, first * momentWeight) / (T.Sqrt(second * squareScale) + epsilon));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ClampUpdate(UpdateStep step, float* u, int count)
    {
        T limit = T.Broadcast(step.A);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T.StoreTail(u + i, n, T.Max(-limit, T.Min(limit, T.LoadTail(u + i, n))));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AgreeingUpdate(UpdateStep step, float* value, float* u, int count)
    {
        T lambda = T.Broadcast(step.A);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T x = T.LoadTail(u + i, n), w = T.LoadTail(value + i, n);
            T.StoreTail(u + i, n, T.Select(T.Less(T.Zero, x * w), T.Fma(lambda, w, x), x));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RootMeanSquareUpdate(UpdateStep step, float* v, float* mean, float* u, int count)
    {
        T decay = T.Broadcast(step.A), share = T.Broadcast(step.B), epsilon = T.Broadcast(step.C);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T g = T.LoadTail(u + i, n), square = T.Fma(decay, T.LoadTail(v + i, n), share * g * g);
            T.StoreTail(v + i, n, square);
            if (mean != null)
            {
                T centre = T.Fma(decay, T.LoadTail(mean + i, n), share * g);
                T.StoreTail(mean + i, n, centre);
                square = T.Max(T.Zero, square - (centre * centre));
            }
            T.StoreTail(u + i, n, g / (T.Sqrt(square) + epsilon));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AdamaxUpdate(UpdateStep step, float* m, float* largest, float* u, int count)
    {
        T b1 = T.Broadcast(step.A), b2 = T.Broadcast(step.B), a1 = T.Broadcast(1f - step.A), epsilon = T.Broadcast(step.C), scale = T.Broadcast(step.D);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T g = T.LoadTail(u + i, n), first = T.Fma(b1, T.LoadTail(m + i, n), a1 * g);
            T norm = T.Max(b2 * T.LoadTail(largest + i, n), T.Abs(g) + epsilon);
            T.StoreTail(m + i, n, first);
            T.StoreTail(largest + i, n, norm);
            T.StoreTail(u + i, n, scale * first / norm);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AdadeltaUpdate(UpdateStep step, float* v, float* deltas, float* u, int count)
    {
        T decay = T.Broadcast(step.A), share = T.Broadcast(1f - step.A), epsilon = T.Broadcast(step.C);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T g = T.LoadTail(u + i, n), sum = T.LoadTail(deltas + i, n), square = T.Fma(decay, T.LoadTail(v + i, n), share * g * g);
            T delta = T.Sqrt(sum + epsilon) / T.Sqrt(square + epsilon) * g;
            T.StoreTail(v + i, n, square);
            T.StoreTail(deltas + i, n, T.Fma(decay, sum, share * delta * delta));
            T.StoreTail(u + i, n, delta);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void LionUpdate(UpdateStep step, float* m, float* u, int count)
    {
        T b1 = T.Broadcast(step.A), b2 = T.Broadcast(step.B), a1 = T.Broadcast(1f - step.A), a2 = T.Broadcast(1f - step.B);
        T one = T.Broadcast(1), signBit = T.BroadcastBits(int.MinValue);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T g = T.LoadTail(u + i, n), old = T.LoadTail(m + i, n), blend = T.Fma(b1, old, a1 * g);
            T.StoreTail(m + i, n, T.Fma(b2, old, a2 * g));
            T.StoreTail(u + i, n, T.Select(T.Equal(blend, T.Zero), T.Zero, one | (blend & signBit)));
        }
    }
}
