using System.Diagnostics;
using Gradus.Training.Distributed;

namespace Gradus.Training.Tests.Distributed;

/// <summary>Runs of several processes by the MPI of the system learn what one process learns, to the bit; what goes wrong ends with one line.</summary>
public sealed class MpiRanksTests
{
    private const int Leaves = 5;

    private static readonly Lazy<string> Alone = new(() => MpiRuns.Train(new RankGroup(Leaves), wholeState: true));

    private static readonly Lazy<string> AloneWithoutState = new(() => MpiRuns.Train(new RankGroup(Leaves), wholeState: false));

    /// <summary>The implementations that are installed under Debian's names.</summary>
    public static TheoryData<string> Kinds => [.. new[] { "openmpi", "mpich" }.Where(k => MpiRuns.Launcher(k) is not null)];

    [MpiTheory]
    [MemberData(nameof(Kinds))]
    public void AnyNumberOfRanksGivesTheSameBits(string kind)
    {
        foreach (int ranks in new[] { 1, 2, 3, 5 })
        {
            (string[] lines, int code) = MpiRuns.Run(kind, ranks, $"train {Leaves}");
            Assert.True(lines.Length == ranks && code == 0, $"{ranks} ranks, exit code {code}: {string.Join('\n', lines)}");
            Assert.All(lines, line => Assert.Equal(Alone.Value, line));
        }
    }

    [MpiTheory]
    [MemberData(nameof(Kinds))]
    public void SoDoesAnOptimizerWhoseStateIsShared(string kind)
    {
        (string[] lines, _) = MpiRuns.Run(kind, 3, $"zero1 {Leaves}");
        Assert.Equal(3, lines.Length);
        Assert.All(lines, line => Assert.Equal(AloneWithoutState.Value, line));
    }

    [MpiTheory]
    [MemberData(nameof(Kinds))]
    public void ARankThatDoesNotAnswerIsNamed(string kind)
    {
        (string[] lines, int code) = MpiRuns.Run(kind, 2, "late 2");
        Assert.NotEqual(0, code);
        Assert.Contains(lines, l => l.Contains("rank 0 has waited 2 s for rank 1 (has not sent", StringComparison.Ordinal));
    }

    [MpiTheory]
    [MemberData(nameof(Kinds))]
    public void ARankThatDiesEndsAll(string kind)
    {
        long start = Stopwatch.GetTimestamp();
        (string[] lines, int code) = MpiRuns.Run(kind, 2, "dies 2");
        Assert.NotEqual(0, code);
        Assert.DoesNotContain("not to be", lines);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(90));
    }

    [MpiTheory]
    [MemberData(nameof(Kinds))]
    public void WrongLaunchesAreOneLine(string kind)
    {
        (string[] many, _) = MpiRuns.Run(kind, 3, "train 2");
        Assert.Contains(many, l => l.Contains("3 ranks cannot share steps of 2 leaves", StringComparison.Ordinal));
        (string[] uneven, _) = MpiRuns.Run(kind, 2, "uneven 2");
        Assert.Contains(uneven, l => l.Contains("the ranks do not do the same", StringComparison.Ordinal));
    }

    [Fact]
    public void TheLauncherIsKnownByItsVariables()
    {
        Assert.Null(Find());
        Assert.Equal((MpiKind.OpenMpi, 4), Of(Find(("OMPI_COMM_WORLD_SIZE", "4"))));
        Assert.Equal((MpiKind.Mpich, 2), Of(Find(("PMI_RANK", "0"), ("PMI_SIZE", "2"))));
        Assert.Equal((MpiKind.OpenMpi, 8), Of(Find(("PMIX_RANK", "1"), ("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_PROCID", "1"))));
        Assert.Null(Find(("SLURM_STEP_NUM_TASKS", "1"), ("SLURM_PROCID", "0")));
        MpiException e = Assert.Throws<MpiException>(() => Find(("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_PROCID", "1")));
        Assert.Contains("srun --mpi=pmix", e.Message, StringComparison.Ordinal);

        static MpiLaunch? Find(params (string Name, string Value)[] variables) => MpiLaunch.Find(n => variables.FirstOrDefault(v => v.Name == n).Value);

        static (MpiKind, int?) Of(MpiLaunch? launch) => (launch!.Kind, launch.Size);
    }
}

/// <summary>A theory about ranks; skipped with a message where no MPI is installed under Debian's names.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MpiTheoryAttribute : TheoryAttribute
{
    public MpiTheoryAttribute()
    {
        if (MpiRanksTests.Kinds.Count == 0)
            Skip = "needs an MPI: apt install openmpi-bin mpich";
    }
}
