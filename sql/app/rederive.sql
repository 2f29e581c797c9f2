-- grain: the run $run. How many of its verdicts differ from what their parts and the run's settings give. Built on rederivation.
select count(*) as verdicts, count(*) filter (differs) as differing, max(difference) as largest from rederive($run);
