using Gradus.Training.Data.SmallWorld;

namespace Gradus.Training.Tests.Data.SmallWorld;

public sealed class SplitMix64Tests
{
    [Fact]
    public void GivesTheNumbersOfTheReferenceImplementation()
    {
        // The published outputs of splitmix64.c (Vigna) for seed 1234567.
        var random = new SplitMix64(1234567);
        Assert.Equal(6457827717110365317UL, random.NextUInt64());
        Assert.Equal(3203168211198807973UL, random.NextUInt64());
        Assert.Equal(9817491932198370423UL, random.NextUInt64());
    }

    [Fact]
    public void NextIsEvenAndInRange()
    {
        var random = new SplitMix64(5);
        var counts = new int[7];
        for (int i = 0; i < 70_000; i++)
            counts[random.Next(7)]++;
        Assert.All(counts, c => Assert.InRange(c, 9_600, 10_400));
    }
}
