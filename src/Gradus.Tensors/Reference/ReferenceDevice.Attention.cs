namespace Gradus.Tensors;

public sealed unsafe partial class ReferenceDevice
{
    /// <inheritdoc/>
    public override void Rotate(in RotaryTask task)
    {
        int heads = task.X.Shape[1], d = task.X.Shape[2], half = task.Cos.Shape.Columns;
        for (long n = 0; n < task.X.Shape[0]; n++)
        {
            long angle = (long)task.Positions.Ints[n] * half;
            for (long h = 0; h < heads; h++)
            {
                float* x = task.X.Floats + (((n * heads) + h) * d), y = task.Y.Floats + (((n * heads) + h) * d);
                for (int i = 0; i < half; i++)
                {
                    int first = task.Interleaved ? 2 * i : i, second = task.Interleaved ? first + 1 : i + half;
                    double cos = task.Cos.Floats[angle + i], sin = task.Sin.Floats[angle + i] * (task.Inverse ? -1.0 : 1.0);
                    double a = x[first], b = x[second];
                    y[first] = (float)((a * cos) - (b * sin));
                    y[second] = (float)((b * cos) + (a * sin));
                }
                for (int i = 2 * half; i < d; i++)
                    y[i] = x[i];
            }
        }
    }

    /// <inheritdoc/>
    public override void Attention(in AttentionTask task)
    {
        int dv = task.ValueWidth, heads = task.Heads, kvHeads = task.KeyValueHeads;
        HeadRows values = task.ValuesOf(task.V);
        AttentionLayout layout = task.Layout;
        for (int s = 0; s < layout.Sequences; s++)
        {
            int queries = layout.QueryCount(s), keys = layout.KeyCount(s);
            for (int i = 0; i < queries; i++)
            {
                long n = layout.QueryStart(s) + i;
                for (int h = 0; h < heads; h++)
                {
                    int kv = h / (heads / kvHeads);
                    (int first, int end) = task.Options.Visible(i, queries, keys);
                    double[] p = Probabilities(task, s, i, h, out double lse);
                    task.LogSumExp.Floats[(n * heads) + h] = (float)lse;
                    float[] kept = Kept(task, keys, (n * heads) + h);
                    for (int c = 0; c < dv; c++)
                    {
                        double sum = 0;
                        for (int j = first; j < end; j++)
                            sum += p[j - first] * kept[j] * values.At(layout.KeyRow(s, j), kv)[c];
                        task.Y.Floats[(((n * heads) + h) * dv) + c] = (float)sum;
                    }
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void AttentionGradient(in AttentionGradientTask task)
    {
        // P = softmax(S), M = dropout's factors, D = Σ dY·Y:  dV = (P∘M)ᵀ dY,  dS = P ∘ (M∘(dY Vᵀ) − D),  dQ = scale · dS K,  dK = scale · dSᵀ Q.
        AttentionTask f = task.Forward;
        int d = f.Width, dv = f.ValueWidth, heads = f.Heads, kvHeads = f.KeyValueHeads;
        HeadRows queryRows = f.QueriesOf(f.Q), keyRows = f.KeysOf(f.K), valueRows = f.ValuesOf(f.V);
        AttentionLayout layout = f.Layout;
        double[] dq = new double[f.Q.Count], dk = f.Fused is null ? new double[f.K.Count] : dq, dvSum = f.Fused is null ? new double[f.V.Count] : dq;
        task.DBias?.Clear();
        for (int s = 0; s < layout.Sequences; s++)
        {
            int queries = layout.QueryCount(s), keys = layout.KeyCount(s);
            for (int i = 0; i < queries; i++)
            {
                long n = layout.QueryStart(s) + i;
                for (int h = 0; h < heads; h++)
                {
                    int kv = h / (heads / kvHeads);
                    (int first, int end) = f.Options.Visible(i, queries, keys);
                    double[] p = Probabilities(f, s, i, h, out _);
                    float[] kept = Kept(f, keys, (n * heads) + h);
                    long q = queryRows.At(n, h) - f.Q.Floats, y = ((n * heads) + h) * dv;
                    double[] dp = new double[p.Length];
                    double total = 0;
                    for (int j = first; j < end; j++)
                    {
                        long v = valueRows.At(layout.KeyRow(s, j), kv) - f.V.Floats;
                        for (int c = 0; c < dv; c++)
                        {
                            dp[j - first] += (double)task.Dy.Floats[y + c] * f.V.Floats[v + c] * kept[j];
                            dvSum[v + c] += p[j - first] * kept[j] * task.Dy.Floats[y + c];
                        }
                        total += p[j - first] * dp[j - first];
                    }
                    for (int j = first; j < end; j++)
                    {
                        long k = keyRows.At(layout.KeyRow(s, j), kv) - f.K.Floats;
                        double ds = p[j - first] * (dp[j - first] - total);
                        if (task.DBias is { } dBias)
                            dBias.Floats[f.BiasStart(h, i, i + keys - queries) + j] += (float)ds;
                        ds *= f.Options.Scale * CapSlope(f, s, i, h, j);
                        for (int c = 0; c < d; c++)
                        {
                            dq[q + c] += ds * f.K.Floats[k + c];
                            dk[k + c] += ds * f.Q.Floats[q + c];
                        }
                    }
                }
            }
        }
        Write(dq, task.Dq);
        Write(dk, task.Dk);
        Write(dvSum, task.Dv);
    }

    private static float[] Kept(in AttentionTask task, int keys, long row)
    {
        float[] factors = new float[keys];
        if (task.Options.Dropout > 0)
            task.Options.DropoutFactors(row, 0, factors);
        else
            Array.Fill(factors, 1f);
        return factors;
    }

    internal static double[] Probabilities(in AttentionTask task, int s, int i, int h, out double lse)
    {
        int queries = task.Layout.QueryCount(s), keys = task.Layout.KeyCount(s);
        (int first, int end) = task.Options.Visible(i, queries, keys);
        double[] scores = new double[end - first];
        double max = double.NegativeInfinity, sum = 0;
        for (int j = first; j < end; j++)
        {
            double score = task.Options.Scale * Dot(task, s, i, h, j);
            if (task.Options.SoftCap > 0)
                score = task.Options.SoftCap * Math.Tanh(score / task.Options.SoftCap);
            if (task.Slopes is { } slopes)
                score += slopes.Floats[h] * (double)(j - (i + keys - queries));
            if (task.Bias is { } bias)
                score += bias.Floats[task.BiasStart(h, i, i + keys - queries) + j];
            scores[j - first] = score;
            max = Math.Max(max, score);
        }
        if (double.IsNegativeInfinity(max))
        {
            lse = max;
            Array.Clear(scores);
            return scores;
        }
        for (int j = 0; j < scores.Length; j++)
            sum += Math.Exp(scores[j] - max);
        lse = max + Math.Log(sum);
        for (int j = 0; j < scores.Length; j++)
            scores[j] = Math.Exp(scores[j] - lse);
        return scores;
    }

    private static double CapSlope(in AttentionTask task, int s, int i, int h, int j)
    {
        if (task.Options.SoftCap <= 0)
            return 1;
        double t = Math.Tanh(task.Options.Scale * Dot(task, s, i, h, j) / task.Options.SoftCap);
        return 1 - (t * t);
    }

    private static double Dot(in AttentionTask task, int s, int i, int h, int j)
    {
        float* q = task.QueriesOf(task.Q).At((long)task.Layout.QueryStart(s) + i, h);
        float* k = task.KeysOf(task.K).At(task.Layout.KeyRow(s, j), h / (task.Heads / task.KeyValueHeads));
        double sum = 0;
        for (int c = 0; c < task.Width; c++)
            sum += (double)q[c] * k[c];
        return sum;
    }

    private static void Write(double[] values, Tensor target)
    {
        for (long i = 0; i < values.Length; i++)
            target.Floats[i] = (float)values[i];
    }
}
