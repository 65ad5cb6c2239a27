using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Tests;

internal static partial class DeviceCases
{
    // Integers stand for activations to 16 bits per block where a device multiplies so; see PackedMatrix.ExactActivations.
    private const double IntegerTolerance = 1e-4;

    private static IEnumerable<DeviceCase> PackedProducts()
    {
        foreach (PackedFormat format in PackedFormats.All)
        {
            foreach ((int rows, int blocks) in new[] { (0, 1), (1, 1), (16, 2), (35, 3) })
            {
                yield return new(nameof(Device.PutPackedRows), $"{format} ({rows}, {blocks})", b => Dense(b, Packed(b, format, rows, blocks)));
                yield return new(nameof(Device.Unpack), $"{format} ({rows}, {blocks})", b => Dense(b, Packed(b, format, rows, blocks)));
                yield return new(nameof(Device.GetPackedRows), $"{format} ({rows}, {blocks})", b =>
                {
                    PackedMatrix matrix = Packed(b, format, rows, blocks);
                    byte[] bytes = new byte[rows * matrix.RowBytes];
                    matrix.GetRows(0, bytes);
                    b.Report(bytes.Select((value, i) => value * (i % 7.0)).Sum());
                });
            }
            foreach ((int m, int rows, int blocks) in new[] { (1, 40, 2), (9, 17, 3), (0, 5, 1), (3, 0, 1), (40, 70, 1) })
            {
                string shape = $"{format}, {m} × ({rows}, {blocks})";
                yield return PackedProduct(shape, format, m, rows, blocks, IntegerTolerance, t => t with { TransposeB = true });
                yield return PackedProduct($"{shape}, added", format, m, rows, blocks, IntegerTolerance, t => t with { TransposeB = true, Accumulate = true });
                yield return PackedProduct($"{shape}, exact", format, m, rows, blocks, 1e-5, t => t with { TransposeB = true }, exact: true);
                yield return PackedProduct($"{shape}, BF16", format, m, rows, blocks, 1e-5, t => t with { TransposeB = true, Precision = Precision.BF16 });
                yield return PackedProduct($"{shape}, gradient", format, m, rows, blocks, 1e-5, t => t);
                foreach (Precision precision in (Precision[])[Precision.F32, Precision.BF16])
                {
                    double tolerance = precision == Precision.F32 ? IntegerTolerance : 1e-5;
                    yield return PackedProduct($"{shape}, {precision}, with a residual", format, m, rows, blocks, tolerance, t => t with { TransposeB = true, Precision = precision }, epilogue: Epilogue.Residual);
                    yield return PackedProduct($"{shape}, {precision}, GELU", format, m, rows, blocks, tolerance, t => t with { TransposeB = true, Precision = precision }, epilogue: y => Epilogue.Activate(Activation.Gelu));
                    yield return PackedProduct($"{shape}, {precision}, gradient, slope of SiLU", format, m, rows, blocks, 1e-5, t => t with { Precision = precision }, epilogue: h => Epilogue.Slope(Activation.Silu, h));
                }
                yield return PackedProduct($"{shape}, gradient in BF16, added", format, m, rows, blocks, 1e-5, t => t with { Accumulate = true, Precision = Precision.BF16 });
            }
        }
    }

    private static DeviceCase PackedProduct(
        string variant, PackedFormat format, int m, int rows, int blocks, double tolerance, Func<PackedMatMulTask, PackedMatMulTask> change, bool exact = false,
        Func<Tensor, Epilogue>? epilogue = null) =>
        new(nameof(Device.MatMulPacked), variant, b =>
        {
            PackedMatrix matrix = Packed(b, format, rows, blocks);
            matrix.ExactActivations = exact;
            PackedMatMulTask task = change(new PackedMatMulTask(null!, matrix, null!, m));
            (int n, int k) = task.TransposeB ? (rows, matrix.Columns) : (matrix.Columns, rows);
            b.Device.MatMulPacked(task with
            {
                A = b.Normal(m, k),
                C = b.Updated(m, n),
                Bias = m == 9 ? b.Normal(n) : null,
                Epilogue = epilogue?.Invoke(b.Normal(m, n)) ?? default,
            });
        }, tolerance);

    private static PackedMatrix Packed(Bench b, PackedFormat format, int rows, int blocks)
    {
        PackedMatrix matrix = new(b.Workspace, format, rows, blocks * format.BlockSize);
        matrix.Pack(b.Normal(rows, matrix.Columns).Span());
        return matrix;
    }

    private static void Dense(Bench b, PackedMatrix matrix) => b.Device.Unpack(matrix, b.Output(matrix.Rows, matrix.Columns));
}
