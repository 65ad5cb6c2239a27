using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Tests.Generation;

/// <summary>Steps that transformers does not have, by their definitions.</summary>
public sealed class MoreStepsTests
{
    /// <summary>The steps whose definitions these tests hold them to.</summary>
    internal static readonly Type[] Steps = [typeof(TopNSigma), typeof(ExcludeTopChoices), typeof(DryPenalty)];

    [Fact]
    public void TopNSigmaKeepsWhatIsNearTheLargest()
    {
        float[] logits = [1, 2, 3, 10, 9];
        double mean = 5, deviation = Math.Sqrt(logits.Average(l => (l - mean) * (l - mean)));
        float[] kept = Apply(new TopNSigma(0.5f), logits, [0]);
        for (int i = 0; i < logits.Length; i++)
            Assert.Equal(logits[i] >= 10 - (0.5 * deviation), float.IsFinite(kept[i]));
        Assert.True(float.IsNegativeInfinity(Apply(new TopNSigma(5), [float.NegativeInfinity, 1, 2], [0])[0]));
    }

    [Fact]
    public void TheLeastProbableOfTheTopChoicesStaysAndChanceDecides()
    {
        float[] logits = [.. new[] { 0.5f, 0.3f, 0.15f, 0.05f }.Select(p => MathF.Log(p))];
        Assert.Equal([false, false, true, true], Apply(new ExcludeTopChoices(1, 0.1f, 1), logits, [0]).Select(l => float.IsFinite(l)));
        Assert.Equal(logits, Apply(new ExcludeTopChoices(1, 0.6f, 1), logits, [0]));
        Assert.Equal(logits, Apply(new ExcludeTopChoices(0, 0.1f, 1), logits, [0]));
        int changed = Enumerable.Range(1, 400).Count(n => float.IsInfinity(Apply(new ExcludeTopChoices(0.25f, 0.1f, 7), logits, new int[n])[0]));
        Assert.InRange(changed, 70, 130);
    }

    // Against the definition, without the Z-algorithm.
    [Fact]
    public void RepetitionsCostMoreTheLongerTheyAre()
    {
        Random random = new(3);
        for (int round = 0; round < 200; round++)
        {
            int[] tokens = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(4))];
            int[] breakers = round % 3 == 0 ? [3] : [];
            float[] actual = Apply(new DryPenalty(0.8f, 1.5f, 2, breakers), new float[5], tokens);
            for (int token = 0; token < 5; token++)
                Assert.Equal(-Penalty(tokens, token, breakers), actual[token], 4);
        }

        static double Penalty(int[] tokens, int next, int[] breakers)
        {
            int longest = 0;
            for (int end = 0; end < tokens.Length - 1; end++)
            {
                int length = 0;
                while (length <= end && tokens[end - length] == tokens[^(1 + length)] && !breakers.Contains(tokens[end - length]))
                    length++;
                if (tokens[end + 1] == next && !breakers.Contains(next))
                    longest = Math.Max(longest, length);
            }
            return longest < 2 ? 0 : 0.8 * Math.Pow(1.5, longest - 2);
        }
    }

    [Fact]
    public void MirostatKeepsTheSurpriseWhereItIsWanted()
    {
        float[] scores = [.. Enumerable.Range(1, 500).Select(rank => -1.1f * MathF.Log(rank))];
        foreach (float wanted in new[] { 2f, 4f })
        {
            Mirostat mirostat = new(wanted, 0.1f);
            Random random = new(1);
            double seen = 0;
            for (int i = 0; i < 1500; i++)
            {
                float[] logits = [.. scores];
                mirostat.Mask(logits);
                double[] p = [.. logits.Select(l => Math.Exp(l))];
                double at = random.NextDouble() * p.Sum();
                int token = 0;
                while ((at -= p[token]) > 0)
                    token++;
                mirostat.Accept(token);
                if (i >= 500)
                    seen -= Math.Log2(p[token] / p.Sum());
            }
            Assert.InRange(seen / 1000, wanted - 0.2, wanted + 0.2);
        }
    }

    [Fact]
    public void ContrastiveSearchIsItsDefinition()
    {
        using GenerativeModel model = TinyModels.Make("llama", TinyModels.Cpu(2));
        using ContrastiveSearch search = new(model);
        using Generator generator = new(model);
        int[] prompt = TinyModels.Prompt(9, 3);
        GenerationRequest request = new(prompt) { MaxNewTokens = 12 };
        Assert.Equal(generator.Run(request).Generated.ToArray(), search.Run(new ContrastiveRequest(request, 0)).Generated);
        Assert.Equal(Slow(model, prompt, 12, 0.6, 5), search.Run(new ContrastiveRequest(request, 0.6f, 5)).Generated);
        Assert.Equal(0, search.PagesInUse);
    }

    [Fact]
    public void GroupsOfBeamsKeepAwayFromEachOther()
    {
        using GenerativeModel model = TinyModels.Make("gpt2", TinyModels.Cpu(2));
        using BeamSearch search = new(model);
        BeamSearchRequest request = new(TinyModels.Prompt(12, 3)) { Beams = 6, Returned = 6, Groups = 3, MaxNewTokens = 8 };
        IReadOnlyList<Hypothesis> apart = search.Run(request with { DiversityPenalty = 1000 });
        Assert.Equal(6, apart.Count);
        // No token of the first step is shared between groups of two beams.
        Assert.True(apart.Select(h => h.Generated[0]).Distinct().Count() >= 3);
        // Without a penalty every group finds what two beams find.
        IReadOnlyList<Hypothesis> two = search.Run(request with { Groups = 1, Beams = 2, Returned = 2 });
        IReadOnlyList<Hypothesis> same = search.Run(request);
        Assert.All(same, h => Assert.Contains(two, t => t.Generated.SequenceEqual(h.Generated)));
        Assert.Equal(0, search.PagesInUse);
    }

    private static int[] Slow(GenerativeModel model, int[] prompt, int count, double alpha, int candidates)
    {
        List<int> tokens = [.. prompt];
        using Workspace step = model.Parts.Store.NewScratch();
        for (int i = 0; i < count; i++)
        {
            (float[] logits, float[][] _) = Read(tokens);
            double total = logits.Sum(l => Math.Exp(l));
            int best = -1;
            double most = double.NegativeInfinity;
            foreach (int v in Enumerable.Range(0, logits.Length).OrderByDescending(v => logits[v]).Take(candidates))
            {
                (float[] _, float[][] hidden) = Read([.. tokens, v]);
                double closest = hidden[..^1].Max(h => Cosine(h, hidden[^1]));
                double score = ((1 - alpha) * Math.Exp(logits[v]) / total) - (alpha * closest);
                if (score > most)
                    (best, most) = (v, score);
            }
            tokens.Add(best);
        }
        return [.. tokens.Skip(prompt.Length)];

        (float[] Logits, float[][] Hidden) Read(IReadOnlyList<int> ids)
        {
            step.Reset();
            Pass pass = new(new TokenBatch([.. ids]), step);
            Tensor hidden = model.Hidden(pass);
            float[] all = hidden.ToArray();
            int width = hidden.Shape.Columns;
            return (model.Logits(hidden, pass).Rows(ids.Count - 1, 1).ToArray(), [.. all.Chunk(width)]);
        }

        static double Cosine(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(x => (double)x * x));
    }

    private static float[] Apply(LogitsStep step, float[] logits, int[] tokens)
    {
        float[] changed = [.. logits];
        step.Apply(changed, new GenerationState(tokens, 0, new LogitsScratch()));
        return changed;
    }
}
