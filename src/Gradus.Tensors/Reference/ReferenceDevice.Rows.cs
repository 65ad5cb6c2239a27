namespace Gradus.Tensors;

public sealed unsafe partial class ReferenceDevice
{
    /// <inheritdoc/>
    public override void Gather(Tensor table, Tensor ids, Tensor y)
    {
        int columns = table.Shape.Columns;
        for (long i = 0; i < ids.Count; i++)
        {
            for (int c = 0; c < columns; c++)
                y.Floats[(i * columns) + c] = Load(table, ((long)ids.Ints[i] * columns) + c);
        }
    }

    /// <inheritdoc/>
    public override void ScatterAdd(Tensor dy, Tensor ids, Tensor table)
    {
        int columns = table.Shape.Columns;
        for (long i = 0; i < ids.Count; i++)
        {
            if (ids.Ints[i] < 0)
                continue;
            for (int c = 0; c < columns; c++)
                table.Floats[((long)ids.Ints[i] * columns) + c] += dy.Floats[(i * columns) + c];
        }
    }

    /// <inheritdoc/>
    public override void PutRows(Tensor x, Tensor rows, Tensor table)
    {
        long columns = x.Count / Math.Max(1, rows.Count);
        for (long i = 0; i < rows.Count; i++)
        {
            for (long c = 0; c < columns; c++)
                table.Floats[(rows.Ints[i] * columns) + c] = x.Floats[(i * columns) + c];
        }
    }

    /// <inheritdoc/>
    public override void Softmax(Tensor x, Tensor y, bool log)
    {
        int columns = x.Shape.Columns;
        for (long r = 0; r < x.Shape.Rows; r++)
        {
            float* row = x.Floats + (r * columns);
            double lse = LogSumExp(row, columns);
            for (int c = 0; c < columns; c++)
                y.Floats[(r * columns) + c] = (float)(log ? row[c] - lse : Math.Exp(row[c] - lse));
        }
    }

    /// <inheritdoc/>
    public override void SoftmaxGradient(Tensor y, Tensor dy, Tensor dx, bool log)
    {
        int columns = y.Shape.Columns;
        for (long r = 0; r < y.Shape.Rows; r++)
        {
            float* p = y.Floats + (r * columns), d = dy.Floats + (r * columns);
            double sum = 0;
            for (int c = 0; c < columns; c++)
                sum += log ? d[c] : (double)p[c] * d[c];
            for (int c = 0; c < columns; c++)
                dx.Floats[(r * columns) + c] = (float)(log ? d[c] - (Math.Exp(p[c]) * sum) : p[c] * (d[c] - sum));
        }
    }

    /// <inheritdoc/>
    public override void LogSumExp(Tensor x, Tensor y)
    {
        int columns = x.Shape.Columns;
        for (long r = 0; r < x.Shape.Rows; r++)
            y.Floats[r] = (float)LogSumExp(x.Floats + (r * columns), columns);
    }

    /// <inheritdoc/>
    public override void LogSumExpGradient(Tensor x, Tensor y, Tensor dy, Tensor dx)
    {
        int columns = x.Shape.Columns;
        for (long r = 0; r < x.Shape.Rows; r++)
        {
            for (long i = r * columns; i < (r + 1) * columns; i++)
                dx.Floats[i] = (float)(Math.Exp((double)x.Floats[i] - y.Floats[r]) * dy.Floats[r]);
        }
    }

    /// <inheritdoc/>
    public override void LayerNorm(Tensor x, Tensor? weight, Tensor? bias, float epsilon, Tensor y, Tensor mean, Tensor rstd)
    {
        int columns = x.Shape.Columns;
        for (long r = 0; r < x.Shape.Rows; r++)
        {
            float* row = x.Floats + (r * columns);
            double mu = 0, variance = 0;
            for (int c = 0; c < columns; c++)
                mu += row[c] / (double)columns;
            for (int c = 0; c < columns; c++)
                variance += (row[c] - mu) * (row[c] - mu) / columns;
            double inverse = 1 / Math.Sqrt(variance + epsilon);
            mean.Floats[r] = (float)mu;
            rstd.Floats[r] = (float)inverse;
            for (int c = 0; c < columns; c++)
                y.Floats[(r * columns) + c] = (float)(((row[c] - mu) * inverse * (weight is null ? 1 : weight.Floats[c])) + (bias is null ? 0 : bias.Floats[c]));
        }
    }

    /// <inheritdoc/>
    public override void LayerNormGradient(in NormGradientTask task)
    {
        // x̂ = (x − μ)/σ, g = dy·w:  dx = (g − mean(g) − x̂ · mean(g·x̂))/σ,  dw = Σ dy·x̂,  db = Σ dy.
        int columns = task.X.Shape.Columns;
        double[] dWeight = new double[columns], dBias = new double[columns];
        for (long r = 0; r < task.X.Shape.Rows; r++)
        {
            float* x = task.X.Floats + (r * columns), dy = task.Dy.Floats + (r * columns);
            double mean = task.Mean!.Floats[r], rstd = task.Rstd.Floats[r], meanG = 0, meanGx = 0;
            for (int c = 0; c < columns; c++)
            {
                double normal = (x[c] - mean) * rstd, g = dy[c] * Weight(task, c);
                meanG += g / columns;
                meanGx += g * normal / columns;
                dWeight[c] += dy[c] * normal;
                dBias[c] += dy[c];
            }
            for (int c = 0; c < columns && task.Dx is not null; c++)
                task.Dx.Floats[(r * columns) + c] = (float)(((dy[c] * Weight(task, c)) - meanG - ((x[c] - mean) * rstd * meanGx)) * rstd);
        }
        WriteSums(dWeight, task.DWeight, task.AccumulateWeight);
        WriteSums(dBias, task.DBias, task.AccumulateBias);
    }

    /// <inheritdoc/>
    public override void RmsNorm(Tensor x, Tensor? weight, float offset, float epsilon, Tensor y, Tensor rstd)
    {
        int columns = x.Shape.Columns;
        for (long r = 0; r < x.Shape.Rows; r++)
        {
            float* row = x.Floats + (r * columns);
            double square = 0;
            for (int c = 0; c < columns; c++)
                square += (double)row[c] * row[c] / columns;
            double inverse = 1 / Math.Sqrt(square + epsilon);
            rstd.Floats[r] = (float)inverse;
            for (int c = 0; c < columns; c++)
                y.Floats[(r * columns) + c] = (float)(row[c] * inverse * (weight is null ? 1 : weight.Floats[c] + offset));
        }
    }

    /// <inheritdoc/>
    public override void RmsNormGradient(in NormGradientTask task)
    {
        // x̂ = x/σ, g = dy·w:  dx = (g − x̂ · mean(g·x̂))/σ,  dw = Σ dy·x̂.
        int columns = task.X.Shape.Columns;
        double[] dWeight = new double[columns];
        for (long r = 0; r < task.X.Shape.Rows; r++)
        {
            float* x = task.X.Floats + (r * columns), dy = task.Dy.Floats + (r * columns);
            double rstd = task.Rstd.Floats[r], meanGx = 0;
            for (int c = 0; c < columns; c++)
            {
                double normal = x[c] * rstd;
                meanGx += dy[c] * Weight(task, c) * normal / columns;
                dWeight[c] += dy[c] * normal;
            }
            for (int c = 0; c < columns && task.Dx is not null; c++)
                task.Dx.Floats[(r * columns) + c] = (float)(((dy[c] * Weight(task, c)) - (x[c] * rstd * meanGx)) * rstd);
        }
        WriteSums(dWeight, task.DWeight, task.AccumulateWeight);
    }

    /// <inheritdoc/>
    public override void CrossEntropy(in CrossEntropyTask task)
    {
        int columns = task.Logits.Shape.Columns;
        for (long r = 0; r < task.Logits.Shape.Rows; r++)
        {
            float* row = task.Logits.Floats + (r * columns);
            bool first = task.FirstColumn == 0;
            double before = first ? double.NegativeInfinity : task.State!.Floats[2 * r], sum = first ? 0 : task.State!.Floats[(2 * r) + 1];
            double loss = first ? 0 : task.Losses.Floats[r], largest = before;
            for (int c = 0; c < columns; c++)
                largest = Math.Max(largest, row[c]);
            sum = sum == 0 ? 0 : sum * Math.Exp(before - largest);
            for (int c = 0; c < columns && !double.IsNegativeInfinity(largest); c++)
                sum += Math.Exp(row[c] - largest);
            double lse = double.IsNegativeInfinity(largest) ? largest : largest + Math.Log(sum);
            int target = task.Targets.Ints[r];
            if (target >= task.FirstColumn && target < task.FirstColumn + columns)
                loss -= row[target - task.FirstColumn];
            if (task.State is { } state)
                (state.Floats[2 * r], state.Floats[(2 * r) + 1]) = ((float)largest, (float)sum);
            if (task.Last)
                task.LogSumExp.Floats[r] = (float)lse;
            task.Losses.Floats[r] = target < 0 ? 0 : (float)(loss + (task.Last ? lse : 0));
        }
    }

    /// <inheritdoc/>
    public override void CrossEntropyGradient(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dLosses, Tensor dLogits, int firstColumn)
    {
        int columns = logits.Shape.Columns;
        for (long r = 0; r < logits.Shape.Rows; r++)
        {
            int target = targets.Ints[r];
            for (int c = 0; c < columns; c++)
            {
                double p = Math.Exp(logits.Floats[(r * columns) + c] - logSumExp.Floats[r]);
                dLogits.Floats[(r * columns) + c] = target < 0 ? 0 : (float)((p - (firstColumn + c == target ? 1 : 0)) * dLosses.Floats[r]);
            }
        }
    }

    private static double Weight(in NormGradientTask task, int column) =>
        task.Weight is null ? 1 : task.Weight.Floats[column] + task.WeightOffset;

    private static void WriteSums(double[] sums, Tensor? target, bool accumulate)
    {
        for (int c = 0; target is not null && c < sums.Length; c++)
            target.Floats[c] = (float)(sums[c] + (accumulate ? target.Floats[c] : 0));
    }

    private static double LogSumExp(float* row, int columns)
    {
        double max = double.NegativeInfinity, sum = 0;
        for (int c = 0; c < columns; c++)
            max = Math.Max(max, row[c]);
        if (double.IsNegativeInfinity(max))
            return max;
        for (int c = 0; c < columns; c++)
            sum += Math.Exp(row[c] - max);
        return max + Math.Log(sum);
    }
}
