using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression.Distillation;

/// <summary>
/// The divergence of a student's next-token probabilities from the teacher's and −log p of the text, for some rows at a time: logits over the vocabulary
/// are made, used and forgotten, those of the backward pass too, so that no more than one piece of them is ever held.
/// </summary>
internal sealed class TeacherHead(GenerativeModel student, Divergence divergence, double teacherWeight)
{
    private const int LogitsAtOnce = 1 << 21;

    /// <summary>What the rows that count add up to.</summary>
    /// <param name="Loss">The loss.</param>
    /// <param name="Divergence">The divergence.</param>
    /// <param name="Text">−log p of the text.</param>
    /// <param name="SameTop">Rows for which both find the same token most probable.</param>
    public readonly record struct Sums(double Loss, double Divergence, double Text, double SameTop)
    {
        public static Sums operator +(Sums a, Sums b) => new(a.Loss + b.Loss, a.Divergence + b.Divergence, a.Text + b.Text, a.SameTop + b.SameTop);
    }

    /// <summary>The sum of the losses over the rows that count.</summary>
    /// <param name="pass">The student's pass.</param>
    /// <param name="hidden">The student's hidden states, (N, C).</param>
    /// <param name="scores">The teacher's scores; they stay until the backward pass is done.</param>
    /// <param name="targets">The token that follows each row, or a negative number where it does not count.</param>
    /// <param name="sums">What there is to report.</param>
    /// <returns>One value.</returns>
    public Tensor Loss(Pass pass, Tensor hidden, TeacherScores scores, int[] targets, out Sums sums)
    {
        int[] rows = [.. Enumerable.Range(0, targets.Length).Where(i => targets[i] >= 0)];
        Work work = new(this, pass, hidden, scores, targets, rows);
        sums = default;
        foreach ((int start, int count) in work.Pieces())
            sums += work.Forward(start, count);
        Tensor y = hidden.Workspace.From([(float)sums.Loss], default);
        if (hidden.Workspace.Tape is { } tape && (hidden.NeedsGradient || student.TrainableParameters.Any()))
            tape.Record(y, new HeadNode(work));
        return y;
    }

    private sealed class HeadNode(Work work) : Node
    {
        public override void Backward(Tensor dy) => work.Backward(dy.Item(), dy.Workspace);
    }

    private sealed class Work(TeacherHead head, Pass pass, Tensor hidden, TeacherScores scores, int[] targets, int[] rows)
    {
        public IEnumerable<(int Start, int Count)> Pieces()
        {
            int size = Math.Clamp(LogitsAtOnce / head.Student.Config.Vocabulary, 1, 1024);
            for (int start = 0; start < rows.Length; start += size)
                yield return (start, Math.Min(size, rows.Length - start));
        }

        public Sums Forward(int start, int count)
        {
            using Workspace inner = hidden.Workspace.OpenChild();
            float[] logits = head.Student.Logits(OnlineScores.RowsOf(inner, hidden, Piece(start, count)), pass).ToArray();
            return Compare(scores.Logits(Piece(start, count)), logits, [], start, count);
        }

        public void Backward(float scale, Workspace workspace)
        {
            float[] slopes = new float[hidden.Count];
            int width = hidden.Shape.Columns;
            foreach ((int start, int count) in Pieces())
            {
                using Workspace inner = workspace.OpenChild();
                Tensor input = OnlineScores.RowsOf(inner, hidden, Piece(start, count));
                Tape tape = inner.StartTape();
                Tape.Watch(input);
                Tensor logits = head.Student.Logits(input, pass);
                float[] gradient = new float[logits.Count];
                Compare(scores.Logits(Piece(start, count)), logits.ToArray(), gradient, start, count);
                foreach (ref float g in gradient.AsSpan())
                    g *= scale;
                tape.Backward(logits, inner.From(gradient, logits.Shape));
                if (input.Gradient is not { } dx)
                    continue;
                for (int i = 0; i < count; i++)
                    dx.Values().Slice(i * width, width).CopyTo(slopes.AsSpan(rows[start + i] * width, width));
            }
            hidden.AddGradient(workspace.From(slopes, hidden.Shape));
        }

        private ReadOnlySpan<int> Piece(int start, int count) => rows.AsSpan(start, count);

        // Rows side by side, summed in their order.
        private Sums Compare(float[] teacherLogits, float[] logits, float[] gradient, int start, int count)
        {
            Sums[] sums = new Sums[count];
            int vocabulary = logits.Length / count;
            Parallel.For(0, count, i => sums[i] = head.Compare(
                teacherLogits.AsSpan(i * vocabulary, vocabulary),
                logits.AsSpan(i * vocabulary, vocabulary),
                targets[rows[start + i]],
                gradient.Length == 0 ? default : gradient.AsSpan(i * vocabulary, vocabulary)));
            Sums sum = default;
            foreach (Sums one in sums)
                sum += one;
            return sum;
        }
    }

    private GenerativeModel Student => student;

    private Sums Compare(ReadOnlySpan<float> ofTeacher, ReadOnlySpan<float> ofStudent, int target, Span<float> gradient)
    {
        double apart = divergence.Of(ofTeacher, ofStudent, gradient);
        int top = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(ofStudent), wanted = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(ofTeacher);
        double most = ofStudent[top], sum = 0;
        foreach (float logit in ofStudent)
            sum += Math.Exp(logit - most);
        double text = Math.Log(sum) - (ofStudent[target] - most);
        for (int v = 0; v < gradient.Length; v++)
        {
            double slope = (Math.Exp(ofStudent[v] - most) / sum) - (v == target ? 1 : 0);
            gradient[v] = (float)((teacherWeight * gradient[v]) + ((1 - teacherWeight) * slope));
        }
        return new Sums((teacherWeight * apart) + ((1 - teacherWeight) * text), apart, text, top == wanted ? 1 : 0);
    }
}
