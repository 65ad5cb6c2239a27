using System.Globalization;

namespace Gradus.Training.Distributed;

/// <summary>The implementations of MPI whose libraries are called.</summary>
public enum MpiKind
{
    /// <summary>Open MPI 4 and 5.</summary>
    OpenMpi,

    /// <summary>MPICH 4, and what descends from it (Intel MPI, MVAPICH).</summary>
    Mpich,
}

/// <summary>What a launcher (mpirun, srun, Kubernetes' MPI operator) says to the processes that it starts.</summary>
/// <param name="Kind">The implementation that it belongs to.</param>
/// <param name="Size">The number of processes, where it says so.</param>
/// <param name="Launcher">The launcher, for messages.</param>
public sealed record MpiLaunch(MpiKind Kind, int? Size, string Launcher)
{
    /// <summary>The launch that this process is a part of; null where it was started by itself.</summary>
    /// <param name="variable">Reads an environment variable.</param>
    /// <exception cref="MpiException">srun started several processes without an MPI between them.</exception>
    public static MpiLaunch? Find(Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        if (Number("OMPI_COMM_WORLD_SIZE") is { } open)
            return new MpiLaunch(MpiKind.OpenMpi, open, "Open MPI's mpirun");
        if (variable("PMIX_RANK") is not null)
            return new MpiLaunch(MpiKind.OpenMpi, Number("SLURM_STEP_NUM_TASKS"), "PMIx");
        if (variable("PMI_RANK") is not null)
            return new MpiLaunch(MpiKind.Mpich, Number("PMI_SIZE"), "MPICH's mpirun");
        // Each of them would train the whole model by itself, into the same folder.
        if (Number("SLURM_STEP_NUM_TASKS") is > 1 and { } tasks && variable("SLURM_PROCID") is not null)
            throw new MpiException($"srun started {tasks} processes, but no MPI between them; use srun --mpi=pmix (Open MPI) or --mpi=pmi2 (MPICH), or one task.");
        return null;

        int? Number(string name) => int.TryParse(variable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;
    }
}
