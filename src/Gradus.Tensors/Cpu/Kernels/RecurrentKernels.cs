// The element-wise part of recurrent layers: all gates of a unit at once, so that a step reads its products once.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private struct RecurrentJob
    {
        public RecurrentCellTask Task;
        public RecurrentCellGradientTask Gradient;
        public int Units;
        public long Rows;
    }

    public override void RecurrentCell(in RecurrentCellTask task)
    {
        RecurrentJob job = new() { Task = task, Units = task.Hidden.Shape.Columns, Rows = task.Hidden.Shape.Rows };
        Split(job.Rows, RowsPerPiece(4 * job.Units), Unsafe.AsPointer(ref job), task.Cell == Tensors.RecurrentCell.Lstm ? &LstmPiece : &GruPiece);
    }

    public override void RecurrentCellGradient(in RecurrentCellGradientTask task)
    {
        RecurrentJob job = new() { Gradient = task, Units = task.DHidden.Shape.Columns, Rows = task.DHidden.Shape.Rows };
        Split(job.Rows, RowsPerPiece(4 * job.Units), Unsafe.AsPointer(ref job), task.Cell == Tensors.RecurrentCell.Lstm ? &LstmGradientPiece : &GruGradientPiece);
    }

    private static void LstmPiece(void* context, int item, int worker)
    {
        ref RecurrentJob job = ref Unsafe.AsRef<RecurrentJob>(context);
        int units = job.Units;
        long piece = RowsPerPiece(4 * units), end = Math.Min(job.Rows, (item + 1) * piece);
        for (long b = item * piece; b < end; b++)
        {
            float* x = job.Task.X.Floats + (b * 4 * units), r = job.Task.R.Floats + (b * 4 * units), kept = job.Task.Kept.Floats + (b * 4 * units);
            float* state = job.Task.State.Floats + (b * units), hidden = job.Task.Hidden.Floats + (b * units), memory = job.Task.Memory!.Floats + (b * units);
            for (int u = 0; u < units; u += T.Width)
            {
                int count = Math.Min(T.Width, units - u), f = units + u, g = (2 * units) + u, o = (3 * units) + u;
                T input = Logistic<T>.Sigmoid(T.LoadTail(x + u, count) + T.LoadTail(r + u, count));
                T forget = Logistic<T>.Sigmoid(T.LoadTail(x + f, count) + T.LoadTail(r + f, count));
                T candidate = LaneMath<T>.Tanh(T.LoadTail(x + g, count) + T.LoadTail(r + g, count));
                T output = Logistic<T>.Sigmoid(T.LoadTail(x + o, count) + T.LoadTail(r + o, count));
                T c = T.Fma(forget, T.LoadTail(state + u, count), input * candidate);
                T.StoreTail(memory + u, count, c);
                T.StoreTail(hidden + u, count, output * LaneMath<T>.Tanh(c));
                T.StoreTail(kept + u, count, input);
                T.StoreTail(kept + f, count, forget);
                T.StoreTail(kept + g, count, candidate);
                T.StoreTail(kept + o, count, output);
            }
        }
    }

    private static void GruPiece(void* context, int item, int worker)
    {
        ref RecurrentJob job = ref Unsafe.AsRef<RecurrentJob>(context);
        int units = job.Units;
        long piece = RowsPerPiece(4 * units), end = Math.Min(job.Rows, (item + 1) * piece);
        for (long b = item * piece; b < end; b++)
        {
            float* x = job.Task.X.Floats + (b * 3 * units), r = job.Task.R.Floats + (b * 3 * units), kept = job.Task.Kept.Floats + (b * 4 * units);
            float* state = job.Task.State.Floats + (b * units), hidden = job.Task.Hidden.Floats + (b * units);
            for (int u = 0; u < units; u += T.Width)
            {
                int count = Math.Min(T.Width, units - u), second = units + u, third = (2 * units) + u;
                T reset = Logistic<T>.Sigmoid(T.LoadTail(x + u, count) + T.LoadTail(r + u, count));
                T z = Logistic<T>.Sigmoid(T.LoadTail(x + second, count) + T.LoadTail(r + second, count));
                T product = T.LoadTail(r + third, count);
                T n = LaneMath<T>.Tanh(T.Fma(reset, product, T.LoadTail(x + third, count)));
                // (1 − z)·n + z·h
                T.StoreTail(hidden + u, count, T.Fma(z, T.LoadTail(state + u, count) - n, n));
                T.StoreTail(kept + u, count, reset);
                T.StoreTail(kept + second, count, z);
                T.StoreTail(kept + third, count, n);
                T.StoreTail(kept + (3 * units) + u, count, product);
            }
        }
    }

    private static void LstmGradientPiece(void* context, int item, int worker)
    {
        ref RecurrentJob job = ref Unsafe.AsRef<RecurrentJob>(context);
        int units = job.Units;
        T one = T.Broadcast(1);
        long piece = RowsPerPiece(4 * units), end = Math.Min(job.Rows, (item + 1) * piece);
        for (long b = item * piece; b < end; b++)
        {
            float* dx = job.Gradient.DX.Floats + (b * 4 * units), kept = job.Gradient.Kept.Floats + (b * 4 * units), dState = job.Gradient.DState.Floats + (b * units);
            float* state = job.Gradient.State.Floats + (b * units), memory = job.Gradient.Memory!.Floats + (b * units), dHidden = job.Gradient.DHidden.Floats + (b * units);
            for (int u = 0; u < units; u += T.Width)
            {
                int count = Math.Min(T.Width, units - u), f = units + u, g = (2 * units) + u, o = (3 * units) + u;
                T input = T.LoadTail(kept + u, count), forget = T.LoadTail(kept + f, count), candidate = T.LoadTail(kept + g, count), output = T.LoadTail(kept + o, count);
                T dh = T.LoadTail(dHidden + u, count), t = LaneMath<T>.Tanh(T.LoadTail(memory + u, count));
                T dc = T.Fma(dh * output, one - (t * t), T.LoadTail(dState + u, count));
                T.StoreTail(dx + u, count, dc * candidate * input * (one - input));
                T.StoreTail(dx + f, count, dc * T.LoadTail(state + u, count) * forget * (one - forget));
                T.StoreTail(dx + g, count, dc * input * (one - (candidate * candidate)));
                T.StoreTail(dx + o, count, dh * t * output * (one - output));
                T.StoreTail(dState + u, count, dc * forget);
            }
        }
    }

    private static void GruGradientPiece(void* context, int item, int worker)
    {
        ref RecurrentJob job = ref Unsafe.AsRef<RecurrentJob>(context);
        int units = job.Units;
        T one = T.Broadcast(1);
        long piece = RowsPerPiece(4 * units), end = Math.Min(job.Rows, (item + 1) * piece);
        for (long b = item * piece; b < end; b++)
        {
            float* dx = job.Gradient.DX.Floats + (b * 3 * units), dr = job.Gradient.DR.Floats + (b * 3 * units), kept = job.Gradient.Kept.Floats + (b * 4 * units);
            float* state = job.Gradient.State.Floats + (b * units), dHidden = job.Gradient.DHidden.Floats + (b * units), dState = job.Gradient.DState.Floats + (b * units);
            for (int u = 0; u < units; u += T.Width)
            {
                int count = Math.Min(T.Width, units - u), second = units + u, third = (2 * units) + u;
                T reset = T.LoadTail(kept + u, count), z = T.LoadTail(kept + second, count), n = T.LoadTail(kept + third, count), product = T.LoadTail(kept + (3 * units) + u, count);
                T dh = T.LoadTail(dHidden + u, count);
                T dn = dh * (one - z) * (one - (n * n));
                T dReset = dn * product * reset * (one - reset), dz = dh * (T.LoadTail(state + u, count) - n) * z * (one - z);
                T.StoreTail(dx + u, count, dReset);
                T.StoreTail(dr + u, count, dReset);
                T.StoreTail(dx + second, count, dz);
                T.StoreTail(dr + second, count, dz);
                T.StoreTail(dx + third, count, dn);
                T.StoreTail(dr + third, count, dn * reset);
                T.StoreTail(dState + u, count, dh * z);
            }
        }
    }
}
