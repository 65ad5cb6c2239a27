namespace Gradus.Training.Planning;

/// <summary>What ranks share of a training, and what each keeps (Rajbhandari et al., "ZeRO", 2020).</summary>
public enum Sharding
{
    /// <summary>Data parallel: everything is on every rank; gradients are summed.</summary>
    None,

    /// <summary>ZeRO 1: each rank keeps its share of the optimizer's state.</summary>
    Optimizer,

    /// <summary>ZeRO 2: and of the gradients.</summary>
    Gradients,

    /// <summary>ZeRO 3, FSDP: and of the weights, which are gathered when they are needed.</summary>
    Weights,
}

/// <summary>The links between machines.</summary>
/// <param name="BytesPerSecond">What a rank can send, while it receives as much.</param>
/// <param name="Latency">Seconds that a message takes beside its bytes.</param>
public sealed record Network(double BytesPerSecond, double Latency = 50e-6);

/// <summary>A training on many machines, each like the one that was measured, each with a step's batch of its own.</summary>
/// <param name="Sharding">What is shared.</param>
/// <param name="MemoryPerRank">Bytes on each.</param>
/// <param name="StepSeconds">A step, communication included.</param>
/// <param name="Efficiency">The share of the time in which ranks compute.</param>
public sealed record ClusterPlan(Sharding Sharding, double MemoryPerRank, double StepSeconds, double Efficiency)
{
    // A bucket of gradients that is sent at once.
    private const double BucketBytes = 32 << 20;

    /// <summary>
    /// Plans a training. Of a step's last micro-batch the backward pass, two thirds of its time, goes on while gradients travel; the sum of n bytes over
    /// P ranks moves 2(P − 1)/P·n through each, and gathering weights for every forward and backward pass half of that again.
    /// </summary>
    /// <param name="plan">The training on one machine.</param>
    /// <param name="stepSeconds">What a step takes there.</param>
    /// <param name="ranks">P, ≥ 1.</param>
    /// <param name="network">The links.</param>
    /// <param name="sharding">What is shared.</param>
    public static ClusterPlan Of(TrainingPlan plan, double stepSeconds, int ranks, Network network, Sharding sharding)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(network);
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        MemoryPlan memory = plan.Memory;
        double share = 1.0 / ranks;
        double bytes = memory.Activations + memory.Panels
            + (memory.Weights * (sharding >= Sharding.Weights ? share : 1))
            + (memory.Gradients * (sharding >= Sharding.Gradients ? share : 1))
            + (memory.Optimizer * (sharding >= Sharding.Optimizer ? share : 1));
        double moved = 4.0 * plan.TrainedParameters, hops = Math.Ceiling(Math.Log2(Math.Max(2, ranks))), part = (ranks - 1.0) / ranks;
        double sum = ranks == 1 ? 0 : (2 * part * moved / network.BytesPerSecond) + (2 * hops * network.Latency * Math.Ceiling(moved / BucketBytes));
        // Weights are gathered before each forward and each backward pass: as much as one half of a sum each, less the half that the sum then saves.
        double gathered = sharding == Sharding.Weights && ranks > 1 ? plan.Shape.Accumulation * part * 4.0 * plan.Parameters / network.BytesPerSecond * 2 : 0;
        double overlap = 2.0 / 3 * stepSeconds / plan.Shape.Accumulation;
        double total = stepSeconds + Math.Max(0, sum - overlap) + Math.Max(0, gathered - (stepSeconds / 2));
        return new ClusterPlan(sharding, bytes, total, stepSeconds / total);
    }
}
