// One optimizer step: a single loop over pieces of all tensors, and within a piece all parts while a few kilobytes of it are in the L1 cache.
// So memory sees every array once, which is what such a step takes; the loops over short stretches cost next to nothing beside it.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    /// <summary>Elements whose update is held at once, on the stack.</summary>
    private const int UpdateStretch = 512;

    private struct UpdateJob
    {
        public UpdateRun* Runs;
        public int Count;
    }

    /// <summary>A tensor of the step, with its first piece in the loop over all.</summary>
    private struct UpdateRun
    {
        public float* Value;
        public float* Gradient;
        public float* Output;
        public long Count;
        public long FirstItem;
        public float Scale;
        public int PartCount;
        public UpdateStep* Parts;
    }

    private struct UpdateStep
    {
        public UpdateKind Kind;
        public float* First;
        public float* Second;
        public float* Third;
        public float A;
        public float B;
        public float C;
        public float D;
        public float E;
        public float F;
    }

    public override void Update(ReadOnlySpan<UpdateTask> tasks)
    {
        int parts = 0;
        foreach (UpdateTask task in tasks)
            parts += task.Parts.Length;
        UpdateRun* runs = (UpdateRun*)Scratch.Get(Scratch.Slot.Kernel, (nuint)(tasks.Length * sizeof(UpdateRun) + parts * sizeof(UpdateStep)));
        UpdateStep* steps = (UpdateStep*)(runs + tasks.Length);
        long items = 0, elements = 0;
        for (int i = 0; i < tasks.Length; i++)
        {
            UpdateTask task = tasks[i];
            runs[i] = new UpdateRun
            {
                Value = task.Value.Floats,
                Gradient = task.Gradient.Floats,
                Output = task.Output is { } output ? output.Floats : null,
                Count = task.Value.Count,
                FirstItem = items,
                Scale = task.GradientScale,
                PartCount = task.Parts.Length,
                Parts = steps,
            };
            foreach (UpdatePart part in task.Parts.Span)
                *steps++ = Step(part);
            items += (task.Value.Count + Grain - 1) / Grain;
            elements += task.Value.Count;
        }
        UpdateJob job = new() { Runs = runs, Count = tasks.Length };
        if (elements > Grain)
        {
            Workers.For(checked((int)items), &job, &UpdatePiece);
            return;
        }
        for (int item = 0; item < items; item++)
            UpdatePiece(&job, item, 0);
    }

    private static UpdateStep Step(in UpdatePart part) => new()
    {
        Kind = part.Kind,
        First = part.First is { } first ? first.Floats : null,
        Second = part.Second is { } second ? second.Floats : null,
        Third = part.Third is { } third ? third.Floats : null,
        A = part.A,
        B = part.B,
        C = part.C,
        D = part.D,
        E = part.E,
        F = part.F,
    };

    private static void UpdatePiece(void* context, int item, int worker)
    {
        UpdateJob* job = (UpdateJob*)context;
        // The last tensor that begins at or before this piece; empty ones begin where the next one does.
        int low = 0, high = job->Count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = job->Runs[middle].FirstItem <= item ? (middle, high) : (low, middle - 1);
        }
        UpdateRun* run = job->Runs + low;
        long start = (item - run->FirstItem) * Grain, end = Math.Min(run->Count, start + Grain);
        for (; start < end; start += UpdateStretch)
            UpdateElements(run, start, (int)Math.Min(UpdateStretch, end - start));
    }

    [SkipLocalsInit]
    private static void UpdateElements(UpdateRun* run, long start, int count)
    {
        float* u = stackalloc float[UpdateStretch];
        float* value = run->Value + start;
        ScaleUpdate(run->Scale, run->Gradient + start, u, count);
        for (int p = 0; p < run->PartCount; p++)
        {
            UpdateStep step = run->Parts[p];
            switch (step.Kind)
            {
                case UpdateKind.Scale:
                    ScaleUpdate(step.A, u, u, count);
                    break;
                case UpdateKind.AddValue:
                    MapRun(new AddTimes(step.A), count, u, value, u, null);
                    break;
                case UpdateKind.Trace:
                    TraceUpdate(step, step.First + start, u, count);
                    break;
                case UpdateKind.Adam:
                    AdamUpdate(step, step.First + start, step.Second + start, u, count);
                    break;
                default:
                    OtherUpdate(step, start, value, u, count);
                    break;
            }
        }
        if (run->Output != null)
            MapRun(default(Same), count, run->Output + start, u, null, null);
        else
            MapRun(default(Plus), count, value, value, u, null);
    }

    private static void ScaleUpdate(float factor, float* x, float* u, int count) => MapRun(new Times(factor), count, u, x, null, null);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TraceUpdate(UpdateStep step, float* trace, float* u, int count)
    {
        T decay = T.Broadcast(step.A), share = T.Broadcast(step.B), traceWeight = T.Broadcast(step.C), updateWeight = T.Broadcast(step.D);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T x = T.LoadTail(u + i, n), t = T.Fma(share, x, decay * T.LoadTail(trace + i, n));
            T.StoreTail(trace + i, n, t);
            T.StoreTail(u + i, n, T.Fma(traceWeight, t, updateWeight * x));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AdamUpdate(UpdateStep step, float* m, float* v, float* u, int count)
    {
        T b1 = T.Broadcast(step.A), b2 = T.Broadcast(step.B), a1 = T.Broadcast(1f - step.A), a2 = T.Broadcast(1f - step.B);
        T epsilon = T.Broadcast(step.C), r1 = T.Broadcast(step.D), r2 = T.Broadcast(step.E);
        for (int i = 0; i < count; i += T.Width)
        {
            int n = Math.Min(T.Width, count - i);
            T g = T.LoadTail(u + i, n);
            T first = T.Fma(b1, T.LoadTail(m + i, n), a1 * g), second = T.Fma(b2, T.LoadTail(v + i, n), a2 * g * g);
            T.StoreTail(m + i, n, first);
            T.StoreTail(v + i, n, second);
            T.StoreTail(u + i, n, first * r1 / (T.Sqrt(second * r2) + epsilon));
        }
    }
}
