using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Tests;

/// <summary>The seam of distributed runs: two ranks on two threads learn what one learns.</summary>
public sealed class RankGroupTests
{
    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 2)]
    [InlineData(true, 3)]
    public void RanksTogetherMakeTheStepsOfOne(bool shareState, int ranks)
    {
        MicroBatch[] batches = [.. TinyTraining.Examples(7).Chunk(3).Select(e => new PackedExamples(e, 1000, 0).All().Single())];
        (float[][] expected, StepReport[] reports) = Train(batches, RankGroup.Alone);
        using Meeting meeting = new(ranks);
        (float[][] Values, StepReport[] Reports)[] results = new (float[][], StepReport[])[ranks];
        Thread[] threads = [.. Enumerable.Range(0, ranks).Select(r => new Thread(() => results[r] = Train(batches, new Meeting.Member(meeting, r, shareState))))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        foreach ((float[][] values, StepReport[] theirs) in results)
        {
            TinyTraining.Close(expected, values, 1e-3);
            for (int i = 0; i < reports.Length; i++)
            {
                Assert.Equal(reports[i].Loss, theirs[i].Loss, 1e-5);
                Assert.Equal(reports[i].GradientNorm, theirs[i].GradientNorm, 1e-4);
                Assert.Equal(reports[i].Tokens, theirs[i].Tokens);
            }
        }
        Assert.All(results, r => TinyTraining.Close(results[0].Values, r.Values, 0));
    }

    [Fact]
    public void SharesCoverEverythingOnce()
    {
        for (int ranks = 1; ranks < 6; ranks++)
        {
            using Meeting meeting = new(ranks);
            for (int total = 0; total < 12; total++)
            {
                int next = 0;
                for (int r = 0; r < ranks; r++)
                {
                    (int first, int count) = new Meeting.Member(meeting, r, false).Share(total);
                    Assert.Equal(next, first);
                    next += count;
                }
                Assert.Equal(total, next);
            }
        }
    }

    private static (float[][] Values, StepReport[] Reports) Train(MicroBatch[] batches, RankGroup ranks)
    {
        using Threads threads = new(1);
        (GenerativeModel model, _) = TinyTraining.Create("llama", threads.Device, dropout: 0);
        using GenerativeModel owned = model;
        using Trainer trainer = new(model, new GivenMicroBatches(batches), TinyTraining.Options("llama"), ranks);
        StepReport[] reports = [.. Enumerable.Range(0, 4).Select(_ => trainer.Step())];
        return ([.. trainer.Parameters.Select(p => p.Value.ToArray())], reports);
    }

    /// <summary>Ranks that meet in one process.</summary>
    private sealed class Meeting(int ranks) : IDisposable
    {
        private readonly Barrier _barrier = new(ranks);
        private readonly object?[] _brought = new object?[ranks];

        public void Dispose() => _barrier.Dispose();

        // Everybody brings something, looks at what all have brought, and leaves when all have looked.
        private void Meet<T>(int rank, T mine, Action<T[]> look)
            where T : class
        {
            _brought[rank] = mine;
            _barrier.SignalAndWait();
            look([.. _brought.Cast<T>()]);
            _barrier.SignalAndWait();
        }

        public sealed class Member(Meeting meeting, int rank, bool sharesState) : RankGroup
        {
            public override int Rank => rank;

            public override int Count => meeting._brought.Length;

            public override bool SharesOptimizerState => sharesState;

            public override void Sum(Span<double> values)
            {
                double[] sums = new double[values.Length];
                meeting.Meet(rank, values.ToArray(), all => Array.ForEach(all, a => sums = [.. sums.Zip(a, (x, y) => x + y)]));
                sums.CopyTo(values);
            }

            public override void SumGradients(IReadOnlyList<Parameter> parameters)
            {
                float[][] mine = [.. parameters.Select(p => p.Gradient?.ToArray() ?? new float[p.Shape.Count])];
                float[][] sums = [.. mine.Select(m => new float[m.Length])];
                meeting.Meet(rank, mine, all => Array.ForEach(all, a => sums = [.. sums.Zip(a, (x, y) => x.Zip(y, (s, t) => s + t).ToArray())]));
                for (int p = 0; p < parameters.Count; p++)
                {
                    parameters[p].ClearGradient();
                    parameters[p].Value.AddGradient(parameters[p].Value.Workspace.From(sums[p], parameters[p].Shape));
                }
            }

            public override void ShareParameters(IReadOnlyList<Parameter> parameters, IReadOnlyList<int> owners)
            {
                float[][] mine = [.. parameters.Select(p => p.Value.ToArray())];
                meeting.Meet(rank, mine, all =>
                {
                    for (int p = 0; p < parameters.Count; p++)
                        all[owners[p]][p].CopyTo(parameters[p].Value.Span());
                });
            }
        }
    }
}
