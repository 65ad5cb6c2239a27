// Products with packed weights against this machine's ceilings. Each round measures the ceiling and the product one after the other, on the
// same threads: memory that is read from front to back for decoding, AMX tiles (else fused multiply-adds) for many rows. The result is
// checked before anything is timed. The machine may be shared, so the ratio is that of the best rounds.

using System.Diagnostics;
using System.Runtime.CompilerServices;
using Gradus.Tensors.Cpu;
using Gradus.Tensors.Packed;

namespace Gradus.Bench;

/// <summary>Measures <see cref="PackedGemm"/>, and products of few rows with dense weights.</summary>
internal static unsafe class PackedBench
{
    private const int Columns = 4096;
    private const long DecodeBytes = 520L << 20;
    private const int Rounds = 9;

    private static readonly string[] DecodeFormats = ["Q8_0", "Q4_0", "Q4_K", "Q6_K"];
    private static readonly string[] OtherFormats = ["Q4_1", "Q5_0", "Q5_1", "Q5_K", "IQ4_NL", "NF4"];

    /// <summary>Measures decoding at M = 1, 2, 4 and 8, and products with many rows, and prints a line for each.</summary>
    public static void Run(TextWriter output, Isa isa, ReadOnlySpan<int> threads)
    {
        output.WriteLine($"integer kernels: {IntegerKernels.Instructions(IntegerKernels.Of(isa))}");
        foreach (int count in threads)
        {
            using Workers workers = new(count);
            output.WriteLine($"{"decode, over 500 MB",-24} {"threads",7} {"ms",8} {"GB/s",7} {"read",7} {"of it",7}  goal (M = 1, all threads): 85%; Q4_0, M = 4 over M = 1: 1.5");
            foreach (string name in (string[])[.. DecodeFormats, .. OtherFormats])
                Packed(output, isa, workers, BlockFormats.Of(PackedFormats.Get(name)));
            foreach (bool bf16 in (bool[])[false, true])
            {
                foreach (bool outIn in (bool[])[true, false])
                    Dense(output, isa, workers, bf16, outIn);
            }
            output.WriteLine($"{"512 rows, 4096 x 4096",-24} {"threads",7} {"TFLOP/s",8} {"a core",7}  goal with BF16 on AMX: 1 a core");
            foreach (string name in DecodeFormats)
            {
                foreach (bool bf16 in (bool[])[true, false])
                    Wide(output, isa, workers, PackedFormats.Get(name), bf16);
            }
        }
    }

    private static void Packed(TextWriter output, Isa isa, Workers workers, BlockFormat format)
    {
        int rows = (int)(DecodeBytes / format.RowBytes(Columns) / PanelLayout.Rows * PanelLayout.Rows);
        byte* data = Weights(format, rows);
        Decode(output, isa, workers, format.ToString(), new Operand(data, Columns, format, transposed: true), rows, rows * format.RowBytes(Columns));
        AlignedMemory.Free(data);
    }

    private static void Dense(TextWriter output, Isa isa, Workers workers, bool bf16, bool outIn)
    {
        int rows = (int)(DecodeBytes / Columns / (bf16 ? sizeof(ushort) : sizeof(float)));
        float* data = GemmBench.Random((long)rows * Columns);
        if (bf16)
        {
            for (long i = 0; i < (long)rows * Columns; i++)
                ((ushort*)data)[i] = (ushort)(BitConverter.SingleToInt32Bits(data[i]) >> 16);
        }
        int stride = outIn ? Columns : rows;
        Operand b = bf16 ? new Operand((ushort*)data, stride, outIn) : new Operand(data, stride, outIn);
        Decode(output, isa, workers, $"{(bf16 ? "BF16" : "F32")} {(outIn ? "(out, in)" : "(in, out)")}", b, rows, (nint)rows * Columns * b.ElementBytes);
        AlignedMemory.Free(data);
    }

    private static void Decode(TextWriter output, Isa isa, Workers workers, string name, Operand weights, int rows, nint bytes)
    {
        double first = 0, gigabytes = bytes / 1e9;
        foreach (int m in (int[])[1, 2, 4, 8])
        {
            using Product product = new(weights, m, rows);
            product.Check(isa, workers);
            (double best, double read) = (double.MaxValue, double.MaxValue);
            for (int round = 0; round < Rounds; round++)
            {
                read = Math.Min(read, Seconds(() => Read(workers, weights.Data, bytes)));
                best = Math.Min(best, Seconds(() => product.Multiply(isa, workers)));
            }
            first = m == 1 ? best : first;
            output.WriteLine($"{name + $", M = {m}",-24} {workers.Count,7} {best * 1e3,8:F1} {gigabytes / best,7:F1} {gigabytes / read,7:F1} {read / best,7:P0}  {(m == 1 ? "" : $"{best / first:F2} times M = 1")}");
        }
    }

    private static void Wide(TextWriter output, Isa isa, Workers workers, PackedFormat format, bool bf16)
    {
        BlockFormat blocks = BlockFormats.Of(format);
        byte* data = Weights(blocks, Columns);
        using Product product = new(new Operand(data, Columns, blocks, transposed: true) { RoundToBf16 = bf16 }, 512, Columns);
        product.Check(isa, workers);
        double best = double.MaxValue;
        for (int round = 0; round < Rounds; round++)
            best = Math.Min(best, Seconds(() => product.Multiply(isa, workers)));
        double rate = 2.0 * 512 * Columns * Columns / best / 1e12;
        output.WriteLine($"{format + (bf16 ? ", BF16" : ", F32"),-24} {workers.Count,7} {rate,8:F2} {rate / workers.Count,7:F2}");
        AlignedMemory.Free(data);
    }

    // Some packed rows, over and over.
    private static byte* Weights(BlockFormat format, int rows)
    {
        nint panelBytes = PanelLayout.PanelBytes(format, Columns);
        byte* data = (byte*)AlignedMemory.Allocate((nuint)(panelBytes * (rows / PanelLayout.Rows)));
        float* values = GemmBench.Random(PanelLayout.Rows * Columns);
        byte[] packed = new byte[panelBytes];
        format.Specification().Pack(new ReadOnlySpan<float>(values, PanelLayout.Rows * Columns), packed);
        int units = Columns / format.Weights();
        fixed (byte* from = packed)
        {
            for (int i = 0; i < PanelLayout.Rows * units; i++)
                PanelLayout.Put(format, from + i * format.Bytes(), data + i % units * PanelLayout.UnitBytes(format), i / units);
        }
        for (int panel = 1; panel < rows / PanelLayout.Rows; panel++)
            Buffer.MemoryCopy(data, data + panel * panelBytes, panelBytes, panelBytes);
        AlignedMemory.Free(values);
        return data;
    }

    private static double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static void Read(Workers workers, byte* data, nint bytes)
    {
        const nint Piece = 1 << 20;
        ReadJob job = new() { Data = data, Bytes = bytes, Piece = Piece };
        workers.For((int)((bytes + Piece - 1) / Piece), &job, &ReadPiece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ReadPiece(void* context, int item, int worker)
    {
        ReadJob* job = (ReadJob*)context;
        float* from = (float*)(job->Data + item * job->Piece), end = (float*)(job->Data + Math.Min((item + 1) * job->Piece, job->Bytes) - 255);
        Lanes8 a = Lanes8.Zero, b = a, c = a, d = a, e = a, f = a, g = a, h = a;
        for (; from < end; from += 64)
        {
            a |= Lanes8.Load(from);
            b |= Lanes8.Load(from + 8);
            c |= Lanes8.Load(from + 16);
            d |= Lanes8.Load(from + 24);
            e |= Lanes8.Load(from + 32);
            f |= Lanes8.Load(from + 40);
            g |= Lanes8.Load(from + 48);
            h |= Lanes8.Load(from + 56);
        }
        Lanes8.Store(job->Sink, a | b | c | d | e | f | g | h);
    }

    private struct ReadJob
    {
        public byte* Data;
        public nint Bytes;
        public nint Piece;
        public fixed float Sink[8];
    }

    private sealed class Product : IDisposable
    {
        private readonly float* _a;
        private readonly float* _c;
        private readonly GemmProblem _problem;

        public Product(Operand weights, int m, int rows)
        {
            _a = GemmBench.Random((long)m * Columns);
            _c = (float*)AlignedMemory.Allocate((nuint)m * (nuint)rows * sizeof(float));
            _problem = new GemmProblem
            {
                M = m,
                N = rows,
                K = Columns,
                Batch = 1,
                A = new Operand(_a, Columns) { RoundToBf16 = weights.RoundToBf16 },
                B = weights,
                C = _c,
                StrideC = rows,
            };
        }

        public void Multiply(Isa isa, Workers workers)
        {
            if (_problem.B.Format != BlockFormat.None)
                PackedGemm.Multiply(isa, workers, _problem);
            else
                Gemm.Multiply(isa, workers, _problem);
        }

        // Some columns against sums in double over the weights.
        public void Check(Isa isa, Workers workers)
        {
            Multiply(isa, workers);
            float[] weights = new float[Columns];
            foreach (int n in (int[])[0, 5, _problem.N - 1])
            {
                Weights(n, weights);
                double sum = 0, size = 0;
                for (int k = 0; k < Columns; k++)
                    (sum, size) = (sum + (double)weights[k] * _a[k], size + Math.Abs((double)weights[k] * _a[k]));
                if (!(Math.Abs(sum - _c[n]) <= (_problem.B.RoundToBf16 ? 1e-2 : 1e-4) * size))
                    throw new InvalidOperationException($"{_problem.B.Format}: column {n} is {_c[n]}, not {sum}.");
            }
        }

        private void Weights(int n, float[] to)
        {
            Operand b = _problem.B;
            if (b.Format == BlockFormat.None)
            {
                for (int k = 0; k < Columns; k++)
                {
                    byte* at = b.Transposed ? b.Data + n * b.RowBytes + (nint)k * b.ElementBytes : b.Data + k * b.RowBytes + (nint)n * b.ElementBytes;
                    to[k] = b.IsBf16 ? BitConverter.Int32BitsToSingle(*(ushort*)at << 16) : *(float*)at;
                }
                return;
            }
            byte[] blocks = new byte[b.Format.RowBytes(Columns)];
            byte* unit = b.Data + n / PanelLayout.Rows * b.RowBytes;
            fixed (byte* block = blocks)
            {
                for (int i = 0; i < Columns / b.Format.Weights(); i++, unit += PanelLayout.UnitBytes(b.Format))
                    PanelLayout.Get(b.Format, unit, n % PanelLayout.Rows, block + i * b.Format.Bytes());
            }
            b.Format.Specification().Unpack(blocks, to);
        }

        public void Dispose()
        {
            AlignedMemory.Free(_a);
            AlignedMemory.Free(_c);
        }
    }
}
